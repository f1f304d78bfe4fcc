import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { httpBrowser } from '../../platform/http-browser.ts';
import { createPerson, type Person } from '../support/person.ts';
import { stack } from '../support/stack.ts';
import { entryOf, nowSeconds, personWith, setEntries } from './support/keeper.ts';
import { passkeys } from './support/passkeys.ts';
import { authorizationUrl, clientsNamed, judge, justBeforeTheEnd, makeClients, signIn, tokens, WAYS_IN, type Answer, type ProductClients, type WayIn } from './support/ways-in.ts';

/**
 * SECURITY.md 4, the one hard ceiling: every way to a session or a token, a second before the end of a trial and a second
 * after it, at the clients of the product that ends and at those of another product of the same person. The people here
 * are stamped and unknown to the bridge, so Keycloak judges them by the stamp, with its own clock. What the proxy refuses
 * at that second is in ceiling-at-the-proxy.
 */
const ENDING = clientsNamed('ways-in');
const GOING_ON = clientsNamed('ways-in-other');
const HOUR_SECONDS = 3600;

const admin = keycloakAdmin();
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  undo.push(await passkeys(admin));
  for (const clients of [ENDING, GOING_ON]) undo.push(await makeClients(admin, clients));
});

afterAll(async () => {
  for (const one of undo) await one();
});

const entries = (secondsFromNow: number) => [entryOf('ending', Object.values(ENDING), secondsFromNow), entryOf('going-on', Object.values(GOING_ON), HOUR_SECONDS)];
const somebody = () => personWith(entries(HOUR_SECONDS));
const endsIn = (person: Person, secondsFromNow: number) => () => setEntries(person, entries(secondsFromNow));

function answerJustBeforeTheEnd(wayIn: WayIn, clients: ProductClients): Promise<Answer> {
  return justBeforeTheEnd(async (margin) => {
    const person = await somebody();
    let end = 0;
    const answer = await wayIn(person, clients, async () => {
      end = nowSeconds() + margin;
      await endsIn(person, margin)();
    });
    return { answer, end };
  });
}

describe.each(Object.entries(WAYS_IN))('SECURITY 4: %s', (_, wayIn) => {
  test('is open until the end', async () => {
    expect(await answerJustBeforeTheEnd(wayIn, ENDING)).toBe('in');
  });

  test('is refused a second after it', async () => {
    const person = await somebody();
    expect(await wayIn(person, ENDING, endsIn(person, -1))).toBe('refused');
  });

  test('stays open at the clients of another product', async () => {
    const person = await somebody();
    expect(await wayIn(person, GOING_ON, endsIn(person, -1))).toBe('in');
  });
});

test('an end of one product’s clients leaves clients of no product alone', async () => {
  const person = await createPerson(['another-client'], -1);
  expect(judge(await signIn(httpBrowser(), person, authorizationUrl(ENDING.main)))).toBe('in');
});

/** Without a row above: off unless a client switches them on, which the doctor names (client-grants). */
describe('SECURITY 4: off', () => {
  test('the JWT authorization grant', async () => {
    const { status, body } = await tokens(ENDING.main, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'e30.e30.e30' });
    expect([status, body['error']]).toEqual([400, expect.stringMatching(/unsupported_grant_type|unauthorized_client|invalid_grant/)]);
  });

  test('CIBA', async () => {
    const person = await somebody();
    const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/ext/ciba/auth`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: ENDING.main, client_secret: 'ways-in-secret', scope: 'openid', login_hint: person.username }),
    });
    expect([answer.status, await answer.json()]).toEqual([401, expect.objectContaining({ error: 'invalid_grant' })]);
  });
});

test('no access token outlives the trial', async () => {
  const person = await createPerson([ENDING.main], 60);
  const { body } = await tokens(ENDING.main, { grant_type: 'password', username: person.username, password: person.password });
  expect(Number(body['expires_in'])).toBeLessThanOrEqual(60);
});

test.each<[string, WayIn]>([
  ['password', WAYS_IN['password']!],
  ['direct grant', WAYS_IN['direct grant']!],
  ['refresh', WAYS_IN['refresh']!],
  ['code exchange', WAYS_IN['code exchange']!],
])('a refusal by %s is an event with its reason', async (_, wayIn) => {
  const person = await somebody();
  await wayIn(person, ENDING, endsIn(person, -1));
  const events: { error: string }[] = await admin.get(`/events?type=LOGIN_ERROR&user=${person.id}`);
  expect(events.find((event) => event.error === 'access_denied')).toMatchObject({ clientId: ENDING.main, details: { reason: 'trial_expired' } });
});
