import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TrialKeeper } from '../../../bridge/keycloak/trial-keeper.ts';
import { eventually } from '../../support/eventually.ts';
import { httpBrowser, type HttpBrowser } from '../../../platform/http-browser.ts';
import { keycloakAdmin } from '../../support/keycloak-admin.ts';
import type { Person } from '../../support/person.ts';
import { stack } from '../../support/stack.ts';
import { entryOf, keeper, personWith, removePeople, setEntries } from '../support/keeper.ts';
import { authorizationUrl, clientsNamed, judge, makeClients, signedInTokens, tokens } from '../support/ways-in.ts';

const APP = clientsNamed('sessions-app');
const REPORTS = clientsNamed('sessions-reports');
const PROXY = 'vestibule-proxy';
const HOUR_SECONDS = 3600;
const admin = keycloakAdmin();
const undo: (() => Promise<void>)[] = [];
let keep: TrialKeeper;

beforeAll(async () => {
  keep = keeper();
  for (const clients of [APP, REPORTS]) undo.push(await makeClients(admin, clients));
});
afterAll(async () => {
  await removePeople();
  for (const one of undo) await one();
});

const entries = (appSeconds: number, appClients = [APP.main]) => [entryOf('app', appClients, appSeconds), entryOf('reports', [REPORTS.main], HOUR_SECONDS)];
const refresh = async (client: string, tokensOf: Record<string, string>) => (await tokens(client, { grant_type: 'refresh_token', refresh_token: tokensOf['refresh_token']! })).status;
const sessionsOf = async ({ id }: Person): Promise<{ id: string; clients: Record<string, string> }[]> => admin.get(`/users/${id}/sessions`);
const clientsOf = async (person: Person) => (await sessionsOf(person)).flatMap(({ clients }) => Object.values(clients)).toSorted();

test('ends what is open at the product’s clients, online and offline; sessions at another product go on', async () => {
  const person = await personWith(entries(HOUR_SECONDS));
  const browser = httpBrowser();
  await signedInTokens(person, APP.main, 'openid', browser);
  const reports = await tokensBySession(browser, REPORTS.main);
  const offline = await signedInTokens(person, APP.main, 'openid offline_access');
  await setEntries(person, entries(-1));
  expect(await keep.endSessions(person.id, 'app')).toBe(2);
  expect(await clientsOf(person)).toEqual([REPORTS.main]);
  expect(await refresh(REPORTS.main, reports)).toBe(200);
  // With an end in the future again, so that only what is gone can be the reason.
  await setEntries(person, entries(HOUR_SECONDS));
  expect(await refresh(APP.main, offline)).toBe(400);
  expect(judge(await browser.get(authorizationUrl(REPORTS.main)))).toBe('in');
});

test('logs a session out that was at no other client: its cookie opens nothing', async () => {
  const person = await personWith(entries(HOUR_SECONDS));
  const browser = httpBrowser();
  await signedInTokens(person, APP.main, 'openid', browser);
  await setEntries(person, entries(-1));
  expect(await keep.endSessions(person.id, 'app')).toBe(1);
  expect(await sessionsOf(person)).toEqual([]);
  expect((await browser.get(authorizationUrl(REPORTS.main))).body).toContain('kc-form-login');
});

test('may be repeated, and ends nothing twice', async () => {
  const person = await personWith(entries(HOUR_SECONDS));
  await signedInTokens(person, APP.main);
  await setEntries(person, entries(-1));
  expect((await Promise.all([1, 2, 3].map(() => keep.endSessions(person.id, 'app')))).toSorted()).toEqual([0, 0, 1]);
});

test('ends nothing while the trial goes on: it may have been extended meanwhile', async () => {
  const person = await personWith(entries(HOUR_SECONDS));
  const open = await signedInTokens(person, APP.main);
  expect(await keep.endSessions(person.id, 'app')).toBe(0);
  expect(await refresh(APP.main, open)).toBe(200);
});

test('leaves a client alone that a running trial of another product names too', async () => {
  const person = await personWith([...entries(HOUR_SECONDS), entryOf('both', [APP.main], HOUR_SECONDS)]);
  const open = await signedInTokens(person, APP.main);
  await setEntries(person, [...entries(-1), entryOf('both', [APP.main], HOUR_SECONDS)]);
  expect(await keep.endSessions(person.id, 'app')).toBe(0);
  expect(await refresh(APP.main, open)).toBe(200);
});

test('reaches the proxy by back-channel logout', async () => {
  const { person, browser } = await atTheProxy();
  await setEntries(person, entries(-1, [PROXY]));
  expect(await keep.endSessions(person.id, 'app')).toBe(1);
  await eventually(async () => !(await browser.json(`${stack().proxy}/api/session`)).authenticated);
});

test('an account that is removed is signed out at the proxy', async () => {
  const { person, browser } = await atTheProxy();
  await setEntries(person, [entryOf('app', [PROXY], HOUR_SECONDS, { made: true, roles: [] })]);
  expect(await keep.remove(person.id, 'app')).toBe('removed');
  await eventually(async () => !(await browser.json(`${stack().proxy}/api/session`)).authenticated);
});

/** By the cookie of the session that is there. */
async function tokensBySession(browser: HttpBrowser, client: string): Promise<Record<string, string>> {
  const page = await browser.get(authorizationUrl(client));
  const code = new URL(page.url).searchParams.get('code') ?? '';
  return (await tokens(client, { grant_type: 'authorization_code', code, redirect_uri: 'http://localhost:1/returned' })).body;
}

async function atTheProxy(): Promise<{ person: Person; browser: HttpBrowser }> {
  const person = await personWith(entries(HOUR_SECONDS, [PROXY]));
  const browser = httpBrowser();
  const login = await browser.get(`${stack().proxy}/api/login`);
  await browser.submit(login.form('kc-form-login'), { username: person.username, password: person.password });
  expect((await browser.json(`${stack().proxy}/api/session`)).authenticated).toBe(true);
  return { person, browser };
}
