import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { accessTokens } from '../../../bridge/remote-billing/access-token.ts';
import { secret } from '../../../platform/secret.ts';
import { newAttempt, newPerson, openBilling, TERMS, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

/** Replicas of one bridge while BILLING_TOKEN_KEY is changed. */
const [OLD, NEW] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
const STEPS = {
  before: { BILLING_TOKEN_KEY: OLD },
  announced: { BILLING_TOKEN_KEY: OLD, BILLING_TOKEN_KEY_PREVIOUS: NEW },
  changed: { BILLING_TOKEN_KEY: NEW, BILLING_TOKEN_KEY_PREVIOUS: OLD },
  after: { BILLING_TOKEN_KEY: NEW },
};
type Step = keyof typeof STEPS;

let replicas: Record<Step, TestBilling>;
let server: Server;
let realm: RealmOnWire;
let ada: PersonOnWire;
beforeAll(async () => {
  const before = await openBilling({ env: STEPS.before });
  const another = (step: Step) => openBilling({ env: { BRIDGE_DATABASE_URL: before.databaseUrl, ...STEPS[step] }, smtpUrl: `smtp://127.0.0.1:${before.inbox.smtpPort}` });
  const [announced, changed, after] = await Promise.all([another('announced'), another('changed'), another('after')]);
  replicas = { before, announced, changed, after };
});
beforeEach(async () => {
  ({ server, realm } = await replicas.before.place());
  ada = newPerson();
});
afterAll(async () => {
  await Promise.all([replicas.announced, replicas.changed, replicas.after].map((one) => one.close()));
  await replicas.before.close();
});

/** The ten steps, minted at one replica and gone on with at another. */
async function signIn(mintedAt: Step, goneOnAt: Step): Promise<unknown> {
  const [first, second] = [replicas[mintedAt], replicas[goneOnAt]];
  const token = await first.access(server, realm, ada);
  const opened = (await second.pages('login/open', { token })).body;
  if (opened['result'] === 'refused') return opened['reason'];
  await second.pages('login/mail', { token, email: ada.email });
  const proven = (await first.pages('login/confirmation', { key: await replicas.before.keyTo(ada.email) })).body;
  return (await second.pages('login/complete', { token: proven['token'], attempt: newAttempt(), accepted_terms: TERMS })).body['result'];
}

// Two replicas of neighbouring steps run side by side while they are replaced.
test.each<[Step, Step]>([
  ['before', 'announced'],
  ['announced', 'before'],
  ['announced', 'changed'],
  ['changed', 'announced'],
  ['changed', 'after'],
])('a sign-in from the replica of "%s" goes on at the one of "%s"', async (mintedAt, goneOnAt) => {
  expect(await signIn(mintedAt, goneOnAt)).toBe('signed_in');
});

test.each<[Step, Step]>([
  ['announced', 'after'],
  ['before', 'after'],
  ['changed', 'before'],
])('what "%s" minted is unknown to "%s", which does not have the key', async (mintedAt, goneOnAt) => {
  expect(await signIn(mintedAt, goneOnAt)).toBe('unknown');
});

test('a secret of a transfer outlives the change, too', async () => {
  const { body } = await replicas.announced.remote('server/register/transfer', { form: { hostname: server.hostname } });
  const [changed, after] = [accessTokens(secret(NEW), secret(OLD)), accessTokens(secret(NEW), undefined)];
  expect(await Promise.all([changed, after].map((one) => one.readTransfer(String(body['verification_secret']))))).toEqual([server.hostname, undefined]);
});
