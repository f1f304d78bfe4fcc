import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { creationOf, eventually, NOW, openBridge, type TestBridge } from '../support/bridge.ts';
import { invited, read, signedUp } from './person.ts';

const HOUR = 3_600;
const DAY = 86_400;

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());
beforeEach(() => bridge.clock.set(NOW));

type Line = { kind: string; actor: string; detail: Record<string, unknown>; request_id: string | null };
const SEEN = new Set(['link_opened', 'form_shown', 'refused', 'signed_in']);
const seen = async (one: { id: string }) => ((await read(bridge, one)).timeline as unknown as Line[]).filter(({ kind }) => SEEN.has(kind));
/** Waits for as many lines: what is seen is written after the answer. */
const seenBy = async (one: { id: string }, count: number): Promise<Line[]> => {
  await eventually(async () => (await seen(one)).length >= count);
  return seen(one);
};
/** A last sighting of its own, so that everything before it is written when it is. */
const flushed = async (): Promise<void> => {
  const last = await invited(bridge);
  await bridge.asStep('/api/trial/verify', { token: last.token });
  await seenBy(last, 1);
};
const signIn = (userId: string, product = 'app') => bridge.asProxy('/api/trial/signed-in', { user_id: userId, products: [product] });
const open = (token: string, signs: string[] = []) => bridge.asProxy('/api/trial/opened', { token, signs });

describe('a link that is opened', () => {
  test.each<[string, string[], number, { by: string; signs?: string[] }]>([
    ['a browser that was here before', [], 0, { by: 'person' }],
    ['a new browser, a minute after the mail', ['no_cookies'], 60, { by: 'person' }],
    ['a new browser, as the mail goes out', ['no_cookies'], 9, { by: 'scanner', signs: ['too_soon'] }],
    ['HEAD', ['head'], 60, { by: 'scanner', signs: ['head'] }],
    ['a known scanner', ['user_agent', 'no_cookies'], 1, { by: 'scanner', signs: ['user_agent', 'too_soon'] }],
    ['a prefetch', ['prefetch'], 60, { by: 'scanner', signs: ['prefetch'] }],
    ['something that reads no language', ['no_language', 'no_cookies'], 60, { by: 'scanner', signs: ['no_language'] }],
  ])('by %s', async (_name, signs, after, detail) => {
    const ada = await invited(bridge);
    bridge.clock.pass(after);
    const { headers } = await open(ada.token, signs);
    expect(await seenBy(ada, 1)).toMatchObject([{ kind: 'link_opened', actor: detail.by, detail, request_id: headers.get('x-request-id') }]);
    expect((await bridge.asStep('/api/trial/verify', { token: ada.token })).body).toMatchObject({ valid: true });
  });

  test('again within the hour is one line, of a person and of a scanner each; later it is another', async () => {
    const ada = await invited(bridge);
    await open(ada.token, ['head']);
    for (let count = 0; count < 3; count += 1) await open(ada.token);
    await flushed();
    await open(ada.token);
    bridge.clock.pass(HOUR);
    await flushed();
    await open(ada.token);
    await flushed();
    expect((await seen(ada)).map(({ detail }) => detail['by'])).toEqual(['scanner', 'person', 'person']);
  });

  test('of nobody: the same answer, and nothing is written', async () => {
    expect(await open('x'.repeat(43))).toMatchObject({ status: 200, body: { status: 'accepted' } });
    const { count } = await bridge.db.selectFrom('bridge.life_event').select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow();
    await flushed();
    expect((await bridge.db.selectFrom('bridge.life_event').select('id').execute()).length).toBeLessThanOrEqual(Number(count) + 2);
  });
});

test('the form that was shown, and each reason why it was not, once an hour', async () => {
  const ada = await invited(bridge);
  const look = () => bridge.asStep('/api/trial/verify', { token: ada.token });
  await Promise.all([look(), look(), look()]);
  await flushed();
  await look();
  bridge.clock.pass(8 * DAY);
  await look();
  await flushed();
  await bridge.asManager(`/api/trial/${ada.id}/revoke`, { reason: 'A mistake.' });
  await look();
  await flushed();
  expect((await seen(ada)).map(({ kind, detail }) => [kind, detail['reason']])).toEqual([['form_shown', undefined], ['refused', 'expired'], ['refused', 'revoked']]);
});

test('a creation that is refused, and why, with the request id of that very call', async () => {
  const ada = await invited(bridge);
  const { status, headers } = await bridge.asStep('/api/trial/creation', creationOf(ada.token, { username: 'eve@example.com' }));
  expect(status).toBe(409);
  expect(await seenBy(ada, 1)).toMatchObject([{ kind: 'refused', detail: { reason: 'username_mismatch' }, request_id: headers.get('x-request-id') }]);
  expect((await bridge.asProgram('/api/trial/creation', { token: ada.token, password: 'short' })).status).toBe(422);
  expect((await seenBy(ada, 2))[1]).toMatchObject({ kind: 'refused', detail: { reason: 'password_refused' } });
});

describe('a sign-in', () => {
  test('is told once a day', async () => {
    const ada = await signedUp(bridge);
    await signIn(ada.userId);
    await signIn(ada.userId);
    await flushed();
    bridge.clock.pass(DAY - 1);
    await signIn(ada.userId);
    await flushed();
    bridge.clock.pass(1);
    await signIn(ada.userId);
    await flushed();
    expect((await seen(ada)).map(({ kind }) => kind)).toEqual(['signed_in', 'signed_in']);
  });

  test('to another product is told nowhere', async () => {
    const ada = await signedUp(bridge);
    expect((await signIn(ada.userId, 'another')).status).toBe(200);
    await flushed();
    expect(await seen(ada)).toEqual([]);
  });

  // Keycloak asks while it hashes the password (docs/decisions/0029): also for a wrong one.
  test('is not what infos is asked for', async () => {
    const ada = await signedUp(bridge);
    await bridge.asStep(`/api/trial/infos?user_id=${ada.userId}&client_id=vestibule-proxy`);
    await flushed();
    expect(await seen(ada)).toEqual([]);
  });
});

test('what waits when the bridge stops is written', async () => {
  const own = await openBridge();
  const ada = await invited(own);
  await own.asStep('/api/trial/verify', { token: ada.token });
  await own.stopBridge();
  const written = await own.db.selectFrom('bridge.life_event').select('kind').where('life_id', '=', ada.id).execute();
  await own.close();
  expect(written).toEqual([{ kind: 'form_shown' }]);
});
