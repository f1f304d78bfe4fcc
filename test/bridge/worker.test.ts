import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { Pool } from 'pg';
import { addJob } from '../../bridge/db/job.ts';
import type { Schema } from '../../bridge/db/schema.ts';
import { freeJobsOfDeadWorkers, holdWorkerLock } from '../../bridge/db/worker-lock.ts';
import { workerPool } from '../../bridge/db/worker-pool.ts';
import { startWorker, type JobHandlers } from '../../bridge/worker.ts';
import { openDatabase } from '../../platform/database.ts';
import { createLog } from '../../platform/log.ts';
import { freshDatabase } from '../support/database.ts';
import { openRelay } from '../support/relay.ts';
import { eventually, openBridge, type TestBridge } from './support/bridge.ts';

let bridge: TestBridge;
let pool: Pool;
let username: string;
beforeAll(async () => {
  bridge = await openBridge();
  pool = new Pool({ connectionString: bridge.databaseUrl }).on('error', () => {});
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

const lockedBy = async () => (await sql<{ locked_by: string }>`select locked_by from graphile_worker._private_jobs`.execute(bridge.db)).rows;
const cutSession = () => sql`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
  and (classid::bigint << 32 | objid::bigint) = hashtextextended('worker other', 0)`.execute(bridge.db);

describe('a job that is locked', () => {
  beforeEach(async () => {
    bridge.accounts.fail(true);
    await register();
    await bridge.settled();
    bridge.accounts.fail(false);
    await sql`update graphile_worker._private_jobs set locked_by = 'other', locked_at = now(), run_at = now()`.execute(bridge.db);
  });

  test('by a killed worker is taken by another at the second look', async () => {
    const dead = await freeJobsOfDeadWorkers(pool, []);
    expect(dead).toEqual(['other']);
    expect(await lockedBy()).toEqual([{ locked_by: 'other' }]);
    await freeJobsOfDeadWorkers(pool, dead);
    await eventually(mailCame);
  });

  test('by a living worker is left to it', async () => {
    const release = await holdWorkerLock(pool, 'other', () => {});
    expect(await freeJobsOfDeadWorkers(pool, ['other'])).toEqual([]);
    expect(await lockedBy()).toEqual([{ locked_by: 'other' }]);
    release();
    await eventually(async () => {
      await freeJobsOfDeadWorkers(pool, ['other']);
      return mailCame();
    });
  });

  test('by a worker whose session was cut is left to it: it takes its lock again, and gives it back when it ends', async () => {
    let lost = 0;
    const release = await holdWorkerLock(pool, 'other', () => void (lost += 1));
    for (const times of [1, 2]) {
      await cutSession();
      await eventually(async () => lost === times && (await freeJobsOfDeadWorkers(pool, [])).length === 0);
    }
    expect(await lockedBy()).toEqual([{ locked_by: 'other' }]);
    release();
    await eventually(async () => (await freeJobsOfDeadWorkers(pool, [])).length === 1);
    expect(lost).toBe(2);
  });
});

test('jobs go on after every connection was cut', async () => {
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'vestibule-bridge' and datname = current_database()`.execute(bridge.db);
  await eventually(async () => (await bridge.send('/readyz', { method: 'GET' })).status === 200);
  await register();
  await eventually(mailCame);
});

/** A worker of its own, whose way to Postgres can be cut. */
async function openWorker() {
  const database = await freshDatabase();
  const relay = await openRelay(Number(new URL(database.bridgeUrl).port));
  const throughRelay = new URL(database.bridgeUrl);
  throughRelay.port = String(relay.port);
  const direct = openDatabase<Schema>(database.bridgeUrl, { poolSize: 2, name: 'test', onError: () => {} });
  const { pool: cut, close } = openDatabase<Schema>(throughRelay.href, { poolSize: 10, name: 'test-worker', onError: () => {} });
  const lines: string[] = [];
  const finish = new Map<string, () => void>();
  const handlers: JobHandlers = {
    send_invitation: ({ sign_up_request_id: id }) => new Promise((resolve) => void finish.set(id, resolve)),
    send_mail: async () => {},
    send_billing_mail: async () => {},
    sweep_plans: async () => {},
    sweep_lives: async () => {},
    erase_life: async () => {},
    end_rehearsal: async () => {},
    finish_join: async () => {},
    keep_life: async () => {},
    reconcile: async () => {},
  };
  const worker = await startWorker(cut, handlers, { job: () => {} }, createLog('bridge', 'debug', { write: (line) => void lines.push(line) }));
  return {
    relay,
    check: worker.check,
    logged: (words: string) => lines.filter((line) => line.includes(words)).length,
    /** Jobs under way, and how to finish each. */
    finish,
    add: (id: string) => addJob(direct.db, 'send_invitation', { sign_up_request_id: id }),
    close: async () => {
      finish.forEach((done) => done());
      await worker.stop();
      await close();
      await direct.close();
      await relay.close();
      await database.drop();
    },
  };
}

test('jobs go on after Postgres was away while several finished', async () => {
  const worker = await openWorker();
  const first = ['a', 'b', 'c', 'd'];
  await Promise.all(first.map(worker.add));
  await eventually(async () => worker.finish.size === first.length);
  await worker.relay.refuse();
  for (const [place, id] of first.entries()) {
    worker.finish.get(id)?.();
    await eventually(async () => worker.logged('Failed to complete jobs') > place);
  }
  await worker.relay.mend();
  await worker.add('e');
  await eventually(async () => worker.finish.has('e'));
  // A worker that is about to end may still have taken it.
  await eventually(() => worker.check().then(() => true, () => false));
  await worker.close();
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
