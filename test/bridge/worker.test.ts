import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { Pool } from 'pg';
import { freeJobsOfDeadWorkers, holdWorkerLock } from '../../bridge/db/worker-lock.ts';
import { workerPool } from '../../bridge/db/worker-pool.ts';
import { eventually, openBridge, type TestBridge } from './support/bridge.ts';

let bridge: TestBridge;
let pool: Pool;
let username: string;
beforeAll(async () => {
  bridge = await openBridge();
  pool = new Pool({ connectionString: bridge.databaseUrl });
});
afterAll(async () => {
  await pool.end();
  await bridge.close();
});
beforeEach(() => {
  username = `ada.${randomUUID()}@example.com`;
});

const register = () => bridge.send('/api/trial/register', { body: { username } });
const mailCame = async () => bridge.inbox.messages().some((message) => message.to === username);

describe('a job that is locked', () => {
  beforeEach(async () => {
    bridge.accounts.fail(true);
    await register();
    await bridge.settled();
    bridge.accounts.fail(false);
    await sql`update graphile_worker._private_jobs set locked_by = 'other', locked_at = now() - interval '11 seconds', run_at = now()`.execute(bridge.db);
  });

  test('by a killed worker is taken by another', async () => {
    await freeJobsOfDeadWorkers(pool);
    await eventually(mailCame);
  });

  test('by a living worker is left to it', async () => {
    const release = await holdWorkerLock(pool, 'other', () => {});
    await freeJobsOfDeadWorkers(pool);
    const { rows } = await sql`select locked_by from graphile_worker._private_jobs`.execute(bridge.db);
    expect(rows).toEqual([{ locked_by: 'other' }]);
    release();
    await eventually(async () => {
      await freeJobsOfDeadWorkers(pool);
      return mailCame();
    });
  });
});

test('jobs go on after every connection was cut', async () => {
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'vestibule-bridge' and datname = current_database()`.execute(bridge.db);
  await eventually(async () => (await bridge.send('/readyz', { method: 'GET' })).status === 200);
  await register();
  await eventually(mailCame);
});

test('a connection that graphile-worker gives back twice is given back once', async () => {
  const idle = await new Promise<number>((resolve, reject) => {
    workerPool(pool).connect((error, _client, release) => {
      if (error) return reject(error);
      release();
      release();
      return resolve(pool.idleCount);
    });
  });
  expect(idle).toBe(1);
});
