import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { runDoctor } from '../support/doctor.ts';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { freshAddress } from '../support/person.ts';
import { openProgram, type Program } from '../support/program.ts';
import { moveClock, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, PASSWORD, signUp } from '../support/visitor.ts';

const DAY = 86_400;
/** The feed says it within a second; the machine may be busy. */
const HOLDS_WITHIN_MS = 5_000;
const BECAUSE = { reason: 'They asked by telephone.' };

let manager: Program;
beforeAll(async () => {
  manager = await openProgram('trial-manage');
});
afterEach(() => moveClock(0));
afterAll(() => manager.remove());

interface Ada {
  address: string;
  userId: string;
  lifeId: string;
  browser: HttpBrowser;
}

async function newAda(): Promise<Ada> {
  const address = freshAddress('ada');
  const { browser, page } = await signUp(await invite(address));
  expect(isSignedIn(page)).toBe(true);
  const [row] = await queryDatabase('select id, user_id from bridge.life where address = $1', [address]);
  return { address, browser, userId: String(row!['user_id']), lifeId: String(row!['id']) };
}

const now = () => Math.floor(Date.now() / 1000);
const stampOf = async ({ userId }: Ada) => JSON.parse((await keycloakAdmin().get(`/users/${userId}`)).attributes.trial_stamp[0]) as Record<string, unknown>;
const rolesOf = async ({ userId }: Ada) => (await keycloakAdmin().get(`/users/${userId}/role-mappings/realm`)).map(({ name }: { name: string }) => name).toSorted();
const sessionOf = async ({ browser }: Ada) => (await browser.json(`${stack().proxy}/api/session`)) as { authenticated: boolean; trial: { app: string; ends_at: number | null; access_until: number | null } | null };

async function signIn({ address }: Ada): Promise<Visit> {
  const browser = httpBrowser();
  const page = await browser.get(`${stack().proxy}/api/login`);
  return browser.submit(page.form('kc-form-login'), { username: address, password: PASSWORD });
}

/** Nothing about this person: other tests have people of their own. */
async function nothingDisagrees({ userId }: Ada): Promise<void> {
  await eventually(async () => (await runDoctor('consistency')).findings.every(({ subject }) => !subject.includes(userId)), 30_000);
}

test('an extension holds in Keycloak at once, in the proxy within a second, and whoever is signed in goes on', async () => {
  const ada = await newAda();
  const { status, body } = await manager.ask('/api/trial/extend', { user_id: ada.userId, days: 30, ...BECAUSE });
  expect([status, body['held_by_keycloak']]).toEqual([200, true]);
  const endsAt = Number(body['trial_ends_at']);
  expect(endsAt).toBeGreaterThan(now() + 43 * DAY);
  expect(await stampOf(ada)).toMatchObject({ trial_ends_at: endsAt, trial_access_until: endsAt + 3 * DAY });
  await eventually(async () => (await sessionOf(ada)).trial?.ends_at === endsAt, HOLDS_WITHIN_MS);
  expect(isSignedIn(await ada.browser.get(stack().proxy))).toBe(true);
  await nothingDisagrees(ada);
});

test('an expired trial comes back: refused before, let in after', async () => {
  const ada = await newAda();
  await moveClock(18 * DAY);
  expect((await signIn(ada)).body).toContain('trial-expired');
  expect((await manager.ask('/api/trial/extend', { username: ada.address, days: 5, ...BECAUSE })).body).toMatchObject({ state: 'ending', held_by_keycloak: true });
  expect(isSignedIn(await signIn(ada))).toBe(true);
});

test('a full account: roles change, the app stays, and nothing ends it', async () => {
  const ada = await newAda();
  const { app } = (await sessionOf(ada)).trial!;
  expect((await manager.ask('/api/trial/completion', { user_id: ada.userId, plan: 'team', ...BECAUSE })).body).toMatchObject({ state: 'converted', trial_app: app, held_by_keycloak: true });
  expect(await stampOf(ada)).toMatchObject({ state: 'converted', trial_ends_at: null, trial_access_until: null });
  expect(await rolesOf(ada)).toEqual(['customer', 'default-roles-vestibule']);
  await eventually(async () => (await sessionOf(ada)).trial?.access_until === null, HOLDS_WITHIN_MS);
  await moveClock(400 * DAY);
  const page = await signIn(ada);
  expect(isSignedIn(page)).toBe(true);
  expect(page.body).toContain(app);
  await moveClock(0);
  await nothingDisagrees(ada);
});

test('a revocation ends what is open everywhere, and no way in is left', async () => {
  const ada = await newAda();
  expect((await manager.ask(`/api/trial/${ada.lifeId}/revoke`, BECAUSE)).body).toMatchObject({ state: 'revoked', held_by_keycloak: true });
  await eventually(async () => !(await sessionOf(ada)).authenticated, HOLDS_WITHIN_MS);
  await eventually(async () => (await keycloakAdmin().get(`/users/${ada.userId}/sessions`)).length === 0, HOLDS_WITHIN_MS);
  expect((await signIn(ada)).body).toContain('trial-expired');
  await nothingDisagrees(ada);
});

test('an end that came by itself ends what was left open in Keycloak', async () => {
  const ada = await newAda();
  await moveClock(18 * DAY);
  await eventually(async () => (await queryDatabase('select state from bridge.life where id = $1', [ada.lifeId]))[0]?.['state'] === 'expired', HOLDS_WITHIN_MS);
  await eventually(async () => {
    await moveClock(18 * DAY);
    return (await keycloakAdmin().get(`/users/${ada.userId}/sessions`)).length === 0;
  }, 20_000);
});
