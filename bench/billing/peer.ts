import { createServer } from 'node:http';
import { Pool } from 'pg';
import { POOL_SIZE } from '../../bridge/bridge.ts';
import { BILLING_USER } from './selects.ts';

// What the bridge is seen beside: a listener that does nothing but the select of one billing user, and answers the row.
const pool = new Pool({ connectionString: process.env['DATABASE_URL'], max: POOL_SIZE });

createServer(async (req, res) => {
  const asked = new URLSearchParams(req.url?.split('?', 2)[1]);
  const { rows } = await pool.query(BILLING_USER, [asked.get('realm'), asked.get('user')]);
  res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(rows[0] ?? null));
}).listen(Number(process.env['PORT']), '127.0.0.1');
