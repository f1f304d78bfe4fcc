import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { changeData } from '../../bridge/trial/trial.schemas.ts';
import { creationOf, NOW, openBridge, type TestBridge } from './support/bridge.ts';
import { eventually } from '../support/eventually.ts';

const HOLDS_WITHIN_MS = 1_000;
const DAY_SECONDS = 86_400;

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

interface Reading {
  status: number;
  /** What came so far, as it stands on the wire. */
  text(): string;
  changes(): { user_id: string; product: string; trial_access_until: number | null; trial_ends_at: number | null; version: number }[];
  ended: Promise<void>;
  stop(): void;
}

async function read(options: { after?: number; follow?: boolean; claims?: Readonly<Record<string, unknown>>; from?: TestBridge } = {}): Promise<Reading> {
  const { after, follow = true, claims = {}, from = bridge } = options;
  const stopping = new AbortController();
  const response = await fetch(`${from.url}/api/trial/changes?follow=${follow}`, {
    headers: { authorization: `Bearer ${await from.realm.serviceToken('vestibule-proxy', 'trial-read', claims)}`, ...(after !== undefined && { 'last-event-id': String(after) }) },
    signal: stopping.signal,
  });
  let text = '';
  const ended = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
  })();
  ended.catch(() => {});
  return {
    status: response.status,
    text: () => text,
    changes: () => [...text.matchAll(/^event: change\nid: (\d+)\ndata: (.*)$/gm)].map(([, id, data]) => {
      const change = changeData.parse(JSON.parse(data ?? ''));
      expect(Number(id)).toBe(change.version);
      return change;
    }),
    ended,
    stop: () => stopping.abort(),
  };
}

async function readAll(after?: number) {
  const reading = await read({ follow: false, ...(after !== undefined && { after }) });
  await reading.ended;
  return reading.changes();
}

/** A confirmed trial. */
async function signUp(): Promise<string> {
  const address = `ada.${randomUUID()}@example.com`;
  const creation = creationOf(await bridge.invite({ address }), { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  return creation.user_id;
}

const moveEnd = (userId: string, to: number) =>
  bridge.db.updateTable('bridge.trial').set({ trial_access_until: new Date(to * 1000), trial_ends_at: new Date(to * 1000) }).where('user_id', '=', userId).execute();

describe('what is told', () => {
  test.each([
    ['ended', NOW],
    ['extended', NOW + 90 * DAY_SECONDS],
  ])('a trial that is %s: it falls out of writing its row', async (_what, until) => {
    const userId = await signUp();
    const created = (await readAll()).find(({ user_id }) => user_id === userId);
    expect(created).toMatchObject({ product: 'app', trial_access_until: NOW + 17 * DAY_SECONDS, trial_ends_at: NOW + 14 * DAY_SECONDS });
    await moveEnd(userId, until);
    expect(await readAll(created?.version)).toMatchObject([{ user_id: userId, product: 'app', trial_access_until: until, trial_ends_at: until }]);
  });

  test('no end any more', async () => {
    const userId = await signUp();
    await bridge.db.updateTable('bridge.trial_change').set({ trial_access_until: null, trial_ends_at: null }).where('user_id', '=', userId).execute();
    expect((await readAll()).find(({ user_id }) => user_id === userId)).toMatchObject({ trial_access_until: null, trial_ends_at: null });
  });

  test('of several changes of one trial, the last', async () => {
    const userId = await signUp();
    const before = (await readAll()).at(-1)?.version;
    for (const until of [NOW + 1, NOW + 2, NOW + 3]) await moveEnd(userId, until);
    expect(await readAll(before)).toMatchObject([{ user_id: userId, trial_access_until: NOW + 3 }]);
  });

  test('what is rolled back is not', async () => {
    const userId = await signUp();
    const before = (await readAll()).at(-1)?.version;
    await bridge.db
      .transaction()
      .execute(async (trx) => {
        await trx.updateTable('bridge.trial').set({ trial_access_until: new Date(0) }).where('user_id', '=', userId).execute();
        throw new Error('changed its mind');
      })
      .catch(() => {});
    expect(await readAll(before)).toEqual([]);
  });

  test('more than is read at once, in order', async () => {
    await bridge.db.transaction().execute(async (trx) => {
      const rows = Array.from({ length: 1_200 }, (_, number) => ({ user_id: `many-${number}`, product: 'app', trial_ends_at: null, trial_access_until: null, version: String(10_000 + number) }));
      await trx.insertInto('bridge.trial_change').values(rows).execute();
    });
    const versions = (await readAll(9_999)).map(({ version }) => version);
    expect(versions).toEqual(Array.from({ length: 1_200 }, (_, number) => 10_000 + number));
    await bridge.db.deleteFrom('bridge.trial_change').where('version', '>=', '10000').execute();
  });
});

describe('a stream', () => {
  let userId: string;
  let last: number;
  beforeEach(async () => {
    userId = await signUp();
    last = (await readAll()).at(-1)?.version ?? 0;
  });

  test('tells within a second, and says every two that nothing else has changed', async () => {
    const reading = await read({ after: last });
    await eventually(() => reading.text().includes(': alive'), HOLDS_WITHIN_MS);
    await moveEnd(userId, NOW + 5);
    await eventually(() => reading.changes().length === 1, HOLDS_WITHIN_MS);
    await eventually(() => [...reading.text().matchAll(/: alive/g)].length >= 3);
    reading.stop();
  });

  test('tells within ten seconds while the bridge hears no notices', async () => {
    const reading = await read({ after: last });
    const admin = new Client({ connectionString: bridge.databaseUrl });
    await admin.connect();
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'vestibule-bridge-notices' and datname = current_database()`);
    await moveEnd(userId, NOW + 6);
    await eventually(() => reading.changes().length === 1, 10_000);
    await admin.end();
    reading.stop();
  });

  test('ends with its token', async () => {
    const reading = await read({ after: last, claims: { exp: Math.floor(Date.now() / 1000) + 2 } });
    expect(reading.status).toBe(200);
    await reading.ended;
  });

  test('ends when the bridge stops, which does not wait for it', async () => {
    const own = await openBridge();
    const reading = await read({ from: own });
    const begun = performance.now();
    await Promise.all([own.close(), reading.ended]);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});

describe('nobody misses a change', () => {
  test('of two transactions that overlap, the one that wrote first and commits last is told last', async () => {
    const [first, second] = [await signUp(), await signUp()];
    const before = (await readAll()).at(-1)?.version ?? 0;
    const slow = new Client({ connectionString: bridge.databaseUrl });
    await slow.connect();
    await slow.query('begin');
    await slow.query('update bridge.trial set trial_access_until = to_timestamp($1) where user_id = $2', [NOW + 1, first]);
    await moveEnd(second, NOW + 2);
    const seen = await readAll(before);
    expect(seen).toMatchObject([{ user_id: second }]);
    await slow.query('commit');
    await slow.end();
    expect(await readAll(seen[0]?.version)).toMatchObject([{ user_id: first }]);
  });

  test('many writers at once: a reader that follows hears each', async () => {
    const people = await Promise.all(Array.from({ length: 12 }, signUp));
    const reading = await read({ after: (await readAll()).at(-1)?.version ?? 0 });
    await Promise.all(people.map((userId, number) => moveEnd(userId, NOW + 100 + number)));
    await eventually(() => new Set(reading.changes().map(({ user_id }) => user_id)).size === people.length);
    const versions = reading.changes().map(({ version }) => version);
    expect(versions).toEqual(versions.toSorted((one, other) => one - other));
    reading.stop();
  });

  test('a reader that knows more than there is, after a backup came back, hears everything from the start', async () => {
    await signUp();
    const reading = await read({ after: 999_999, follow: false });
    await reading.ended;
    expect(reading.text()).toMatch(/^event: restarted\ndata: \{\}\n\nevent: change\n/);
    expect(reading.changes()).toEqual(await readAll(0));
  });
});

test.each(['x', '-1', '1.5', '9'.repeat(16)])('Last-Event-ID %s is refused', async (id) => {
  const token = await bridge.realm.serviceToken('vestibule-proxy', 'trial-read');
  const answer = await bridge.send('/api/trial/changes?follow=false', { method: 'GET', headers: { authorization: `Bearer ${token}`, 'last-event-id': id } });
  expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request']);
});
