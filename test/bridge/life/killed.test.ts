import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { sql } from 'kysely';
import { addJob } from '../../../bridge/db/job.ts';
import { chance } from '../../support/chance.ts';
import { openRelay, type Relay } from '../../support/relay.ts';
import { eventually } from '../../support/eventually.ts';
import { openBridge, type TestBridge } from '../support/bridge.ts';
import { startReplica, type BridgeReplica } from '../support/replica.ts';
import { read, signedUp, type Person } from './person.ts';

// Jobs of a worker that was killed are free again within twenty seconds.
jest.setTimeout(240_000);

const DAY = 86_400;
const SEED = 1;
const PEOPLE = 10;
/** A clock that moves by days, past each reminder and each end. */
const LOOKS = [6, 7.2, 10, 13.2, 14.2, 16, 17.2, 30];
const KILLED_SHARE = 0.6;
const FREED_WITHIN_MS = 40_000;

const ADDRESS_HASH_KEY = randomBytes(32).toString('base64');

let bridge: TestBridge;
let toPostgres: Relay;
let replica: BridgeReplica;
beforeAll(async () => {
  bridge = await openBridge({ env: { ADDRESS_HASH_KEY } });
  toPostgres = await openRelay(Number(new URL(bridge.databaseUrl).port));
});
afterAll(async () => {
  await kill();
  await bridge.close();
  await toPostgres.close();
});

/** Both replicas at the same domain time: whichever takes a job sees it. */
async function moveTo(days: number): Promise<void> {
  bridge.clock.set(Date.now() / 1000 + days * DAY);
  await fetch(`${replica.url}/dev/clock`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ offset_seconds: days * DAY }) });
}

/** But for Keycloak's: there is none behind the replica's, so that these are tried again and again. */
async function hasJobs(): Promise<boolean> {
  const { rows } = await sql`select 1 from graphile_worker.jobs where task_identifier <> 'keep_life' and (run_at <= now() or locked_at is not null) limit 1`.execute(bridge.db);
  return rows.length > 0;
}

const done = (): Promise<unknown> => eventually(async () => !(await hasJobs()), FREED_WITHIN_MS);

async function kill(): Promise<void> {
  if (replica.process.exitCode !== null || replica.process.signalCode !== null) return;
  const ended = once(replica.process, 'exit');
  replica.process.kill('SIGKILL');
  await ended;
}

test('over thirty days, with a worker killed at a commit now and then: every turn once, every mail meant once', async () => {
  bridge.clock.set(Date.now() / 1000);
  const people: Person[] = [];
  for (let count = 0; count < PEOPLE; count += 1) people.push(await signedUp(bridge));
  const dice = chance(SEED);
  const start = () => startReplica(bridge, toPostgres.port, { ADDRESS_HASH_KEY, MOVABLE_CLOCK: 'true' });
  replica = await start();
  let killed = 0;
  for (const days of LOOKS) {
    await moveTo(days);
    if (dice() < KILLED_SHARE) {
      toPostgres.inject({ sees: 'commit', does: dice() < 0.5 ? 'hold-request' : 'hold-answer' });
      await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
      await eventually(async () => toPostgres.held() > 0 || !(await hasJobs()));
      await kill();
      killed += 1;
      toPostgres.cut();
      await toPostgres.mend();
      replica = await start();
      await moveTo(days);
    }
    await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
    await done();
  }
  await kill();
  expect(killed).toBeGreaterThan(2);
  await done();
  for (const person of people) {
    const { state, timeline } = await read(bridge, person);
    expect(state).toBe('expired');
    expect(timeline.filter(({ kind }) => !kind.startsWith('mail_')).map(({ kind }) => kind)).toEqual(['registered', 'confirmed', 'reminded', 'reminded', 'ended', 'expired']);
    expect(timeline.filter(({ kind }) => kind === 'mail_queued').map(({ detail }) => detail['mail'])).toEqual(['trial_reminder', 'trial_reminder', 'trial_grace', 'trial_over']);
    // A crash between send and commit may send one again; none is lost.
    const sent = bridge.inbox.messages().filter(({ to }) => to === person.address).map(({ subject }) => subject);
    expect(new Set(sent).size).toBe(3);
    expect(sent.length).toBeGreaterThanOrEqual(4);
    expect(sent.length).toBeLessThanOrEqual(4 + killed);
  }
});
