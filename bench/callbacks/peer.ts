import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { Pool } from 'pg';
import { POOL_SIZE } from '../../bridge/bridge.ts';
import { prepareMarked } from '../../platform/prepared.ts';
import { SELECTS } from './selects.ts';

// What the bridge is measured against: a listener that does nothing but the select of that call, and answers its row. No
// token, no checks, no log.
const pool = new Pool({ connectionString: process.env['DATABASE_URL'], max: POOL_SIZE });
prepareMarked(pool);

createServer(async (req, res) => {
  const { rows } = await select(req);
  res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(rows[0] ?? null));
}).listen(Number(process.env['PORT']), '127.0.0.1');

async function select(req: IncomingMessage) {
  if (req.method === 'GET') return pool.query(SELECTS.infos, [new URLSearchParams(req.url?.split('?', 2)[1]).get('user_id'), ['app']]);
  const { token } = JSON.parse(await text(req)) as { token: string };
  return pool.query(SELECTS.verify, [createHash('sha256').update(token).digest()]);
}
