import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { freePort } from '../../../dev/ports.ts';
import { chance } from '../../support/chance.ts';
import { signedUp, type Person } from '../life/person.ts';
import { eventually } from '../../support/eventually.ts';
import { openBridge, type TestBridge } from '../support/bridge.ts';
import { ISSUER_URL } from '../support/realm.ts';
import { startReceiver, type Receiver, type Told } from './receiver.ts';
import { newSecret, SECRET_NAME } from './told-app.ts';

jest.setTimeout(300_000);

const SEED = 20_261_121;
const PEOPLE = 24;
const KILLS = 4;
/** A busy machine starts a process slowly. */
const START_LIMIT_MS = 60_000;
/** So that the dice, which are fair, do not make the last one wait for an hour. */
const MOST_FAILURES_IN_A_ROW = 5;
const ORDER = ['trial.created', 'trial.confirmed', 'trial.extended', 'trial.converted'];
const BECAUSE = { reason: 'They asked by telephone.' };

let bridge: TestBridge;
let app: Receiver;
let folder: string;
const secret = newSecret();
beforeAll(async () => {
  app = await startReceiver(secret);
  // It tells nobody: what happens here is told by the processes that are killed.
  bridge = await openBridge();
  folder = mkdtempSync(join(tmpdir(), 'webhooks-'));
  writeFileSync(
    join(folder, 'products.yaml'),
    `products: [{id: app, name: App, trial_days: 14, clients: [vestibule-proxy], app: {name: One}, webhook: {url: '${app.url}', secret_env: ${SECRET_NAME}}}]`,
  );
});
afterAll(async () => {
  await bridge.close();
  await app.stop();
  rmSync(folder, { recursive: true });
});

/** A bridge of its own on the same database. */
async function startTelling(): Promise<ChildProcess> {
  const port = await freePort();
  const env = {
    VESTIBULE_MODE: 'development',
    LOG_LEVEL: 'silent',
    BRIDGE_PORT: String(port),
    BRIDGE_DATABASE_URL: bridge.databaseUrl,
    BRIDGE_CLIENT_SECRET: 'not used here',
    KEYCLOAK_PUBLIC_URL: ISSUER_URL,
    KEYCLOAK_INTERNAL_URL: bridge.realm.internalUrl,
    PROXY_PUBLIC_URL: 'http://proxy.test',
    SMTP_URL: `smtp://127.0.0.1:${bridge.inbox.smtpPort}`,
    MAIL_FROM: 'hello@example.com',
    CONTACT_URL: 'https://example.com/contact',
    ADDRESS_HASH_KEY: Buffer.alloc(32).toString('base64'),
    PRODUCTS_FILE: join(folder, 'products.yaml'),
    WEBHOOK_TRIES: '100',
    WEBHOOK_RETRY_SECONDS: '0.01',
    WEBHOOK_TIME_LIMIT_SECONDS: '0.5',
    [SECRET_NAME]: secret,
  };
  const telling = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'bridge/main.ts'], { env, stdio: 'ignore' });
  await eventually(() => fetch(`http://127.0.0.1:${port}/livez`).then(({ ok }) => ok), START_LIMIT_MS);
  return telling;
}

async function kill(telling: ChildProcess): Promise<void> {
  const ended = once(telling, 'exit');
  telling.kill('SIGKILL');
  await ended;
}

interface Dice {
  /** Messages whose taking was answered with 2xx. */
  taken: Set<string>;
  answer: Receiver['answer'];
  failures: number;
}

/** Fails half of the tries, in one of four ways: the same for the same person, event and try, whichever comes first. */
function dice(): Dice {
  const tries = new Map<string, number>();
  const fail: readonly ((res: ServerResponse) => void)[] = [
    (res) => res.writeHead(500).end(),
    (res) => res.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    // Taken, but nobody hears of it: it comes again.
    (res) => res.destroy(),
    () => {},
  ];
  const one: Dice = {
    taken: new Set(),
    failures: 0,
    answer: (res, { type, data: { id, username } }: Told) => {
      const key = `${type} ${id}`;
      const tried = (tries.get(key) ?? 0) + 1;
      tries.set(key, tried);
      const throwDice = chance(createHash('sha256').update(`${SEED} ${username} ${type} ${tried}`).digest().readInt32LE());
      if (tried <= MOST_FAILURES_IN_A_ROW && throwDice() < 0.5) {
        one.failures += 1;
        return fail[Math.floor(throwDice() * fail.length)]!(res);
      }
      one.taken.add(key);
      return void res.writeHead(204).end();
    },
  };
  return one;
}

test('an app that fails half of the time, told by processes that are killed: every event arrives, in order, verified', async () => {
  const people: Person[] = [];
  const thrown = dice();
  const early: string[] = [];
  app.answer = (res, told) => {
    const before = ORDER[ORDER.indexOf(told.type) - 1];
    if (before !== undefined && !thrown.taken.has(`${before} ${told.data.id}`)) early.push(`${told.type} before ${before}`);
    thrown.answer(res, told);
  };
  let telling = await startTelling();
  const killing = (async () => {
    for (let kills = 1; kills <= KILLS; kills += 1) {
      const seen = app.received.length;
      await eventually(() => app.received.length > seen + 5);
      await kill(telling);
      telling = await startTelling();
    }
  })();
  for (let at = 0; at < PEOPLE; at += 1) {
    const person = await signedUp(bridge, `person-${at}@example.com`);
    people.push(person);
    await bridge.asManager('/api/trial/extend', { user_id: person.userId, days: 1, ...BECAUSE });
    await bridge.asManager('/api/trial/completion', { user_id: person.userId, ...BECAUSE });
  }
  await killing;
  await eventually(() => people.every(({ id }) => ORDER.every((type) => thrown.taken.has(`${type} ${id}`))), 90_000);
  await kill(telling);
  expect(early).toEqual([]);
  expect(app.unverified).toEqual([]);
  for (const { id } of people) expect([...new Set(app.typesOf(id))]).toEqual(ORDER);
  // The dice were thrown, and what nobody heard of came again under its own id.
  expect(thrown.failures).toBeGreaterThan(PEOPLE);
  expect(app.received.length).toBeGreaterThan(PEOPLE * ORDER.length + thrown.failures / 2);
  expect(new Set(app.received.map(({ id }) => id)).size).toBe(PEOPLE * ORDER.length);
});
