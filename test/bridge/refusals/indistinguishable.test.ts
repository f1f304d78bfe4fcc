import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Account } from '../../../bridge/keycloak/accounts.ts';
import { creationOf, NOW, openBridge, type TestBridge } from '../support/bridge.ts';
import { statementsDuring } from '../support/statements.ts';
import { newAddress } from './endpoints.ts';

const DAY = 86_400;
const OF_THE_REQUEST = new Set(['date', 'x-request-id']);

/** Whose address is asked about, and how it came to be so. */
const KINDS: Readonly<Record<string, (address: string) => Promise<void>>> = {
  new: async () => {},
  'new again': async () => {},
  invited: async (address) => void (await bridge.invite({ address })),
  registered: async (address) => void (await register(address)),
  'with an account': async (address) => void keycloak.add(address, true),
  'with an account that never proved it': async (address) => void keycloak.add(address, false),
  'in a trial': signUp,
  'with a trial that has ended': async (address) => {
    bridge.clock.set(NOW - 30 * DAY);
    await signUp(address);
    bridge.clock.set(NOW);
  },
  'of somebody who said "not me"': async (address) => {
    await register(address);
    await bridge.settled();
    const link = bridge.inbox.messages().find(({ to }) => to === address)?.links.find((one) => one.includes('not-me'));
    await bridge.asProxy('/api/trial/not-me', { token: new URL(link ?? 'none:').searchParams.get('t') });
  },
  'with as many mails as a day has': async (address) => {
    for (let mail = 0; mail < 2; mail += 1) await register(address);
    await bridge.settled();
  },
};

const keycloak = heldAccounts();
const made = new Map<string, string>();
let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge({
    accounts: keycloak,
    env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000', MAIL_LIMIT_PER_MAILBOX_PER_DAY: '1' },
  });
  for (const [kind, prepare] of Object.entries(KINDS)) {
    made.set(kind, newAddress());
    await prepare(made.get(kind)!);
  }
  made.set('of a blocked domain', 'ada@blocked.example');
  await bridge.settled();
  keycloak.hold();
});
afterAll(async () => {
  keycloak.go();
  await bridge.close();
});

const register = (username: string, path = '/api/trial/register') => bridge.send(path, { body: { username } });

async function signUp(address: string): Promise<void> {
  const creation = creationOf(await bridge.invite({ address }), { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  keycloak.add(address, true, creation.user_id);
}

describe.each(['/api/trial/register', '/api/legacy/trial/register'])('%s answers', (path) => {
  test('the same status, body and headers whoever the address belongs to', async () => {
    const answers = new Map<string, unknown>();
    for (const [kind, address] of made) {
      const { status, body, headers } = await register(address, path);
      answers.set(kind, { status, body, headers: [...headers].filter(([name]) => !OF_THE_REQUEST.has(name)) });
    }
    for (const [kind, answer] of answers) expect([kind, answer]).toEqual([kind, answers.get('new')]);
  });

  test('with the same statements to Postgres', async () => {
    const statements = new Map<string, readonly string[]>();
    for (const [kind, address] of made) statements.set(kind, await statementsDuring(() => register(address, path)));
    expect(statements.get('new')).toHaveLength(6);
    for (const [kind, texts] of statements) expect([kind, texts]).toEqual([kind, statements.get('new')]);
  });
});

test('the jobs that wait meanwhile tell the kinds apart, or this test would compare nothing', async () => {
  keycloak.go();
  await bridge.settled();
  const results = new Map<string, unknown>();
  for (const kind of ['new', 'with an account', 'with a trial that has ended', 'of somebody who said "not me"', 'with as many mails as a day has']) {
    const last = await bridge.db.selectFrom('bridge.mail').select('kind').where('address', '=', made.get(kind)!).executeTakeFirst();
    const requests = await bridge.db.selectFrom('bridge.sign_up_request').select('result').where('address', '=', made.get(kind)!).execute();
    results.set(kind, [last?.kind, new Set(requests.map(({ result }) => result)).has('suppressed')]);
  }
  expect(Object.fromEntries(results)).toEqual({
    new: ['invitation', false],
    'with an account': ['welcome_back', false],
    'with a trial that has ended': ['trial_ended', false],
    'of somebody who said "not me"': ['invitation', true],
    'with as many mails as a day has': ['invitation', false],
  });
});

/** Keycloak's accounts, silent between `hold` and `go`: jobs wait there, so that what a request does stands alone. */
function heldAccounts() {
  const accounts = new Map<string, Account>();
  let gate: PromiseWithResolvers<void> | undefined;
  const find = async (fits: (account: Account) => boolean) => {
    await gate?.promise;
    return [...accounts.values()].find(fits);
  };
  return {
    add: (username: string, emailVerified: boolean, id = `of ${username}`) => void accounts.set(id, { id, username, emailVerified, stamps: [] }),
    hold: () => {
      gate = Promise.withResolvers();
    },
    go: () => gate?.resolve(),
    check: async () => {},
    findById: (id: string) => find((account) => account.id === id),
    findByAddress: (address: string) => find((account) => account.username === address),
  };
}
