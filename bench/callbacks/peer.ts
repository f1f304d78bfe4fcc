import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { Pool } from 'pg';
import { POOL_SIZE } from '../../bridge/bridge.ts';

// What the bridge is measured against: a listener that does nothing but the select of that call, and answers its row. No
// token, no checks, no log. The statements are those that the bridge sends.
const VERIFY = `select "id", "product", "address", "first_name" as "firstName", "last_name" as "lastName", "locale", "state", "attempt_id" as "attemptId", "expires_at" as "expiresAt" from "bridge"."invitation" where "token_hash" = $1`;
const INFOS = `select "product", "user_id" as "userId", "trial_ends_at" as "trialEndsAt", "trial_access_until" as "trialAccessUntil" from "bridge"."trial" where "user_id" = $1 and "product" in ($2) order by "trial_access_until" desc limit $3`;

const pool = new Pool({ connectionString: process.env['DATABASE_URL'], max: POOL_SIZE });

createServer(async (req, res) => {
  const { rows } = await select(req);
  res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(rows[0] ?? null));
}).listen(Number(process.env['PORT']), '127.0.0.1');

async function select(req: IncomingMessage) {
  if (req.method === 'GET') return pool.query(INFOS, [new URLSearchParams(req.url?.split('?', 2)[1]).get('user_id'), 'app', 1]);
  const { token } = JSON.parse(await text(req)) as { token: string };
  return pool.query(VERIFY, [createHash('sha256').update(token).digest()]);
}
