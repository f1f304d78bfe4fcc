import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { bridgeEnvironment } from '../support/doctor.ts';
import { scrape } from '../support/exposition.ts';
import { httpBrowser } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { createPerson, freshAddress, type Person } from '../support/person.ts';
import { logOf, pause, stack } from '../support/stack.ts';
import { invite } from '../support/visitor.ts';
import { questionsAboutTrials } from './support/infos.ts';

/** A bridge that takes connections and answers nothing: what a login waits for it, and for how many logins. */
const CLIENT = 'vestibule-proxy';
/** The realm file's: a call is cut then. */
const LIMIT_MS = 3_000;
const OPENING_LOGINS = 8;
const RECOVERS_WITHIN_MS = 15_000;

let resume: (() => void) | undefined;
let [live, ended]: Person[] = [];
let crowd: Person[];

beforeAll(async () => {
  [live, ended] = await Promise.all([createPerson([CLIENT], 3600), createPerson([CLIENT], -1)]);
  crowd = await Promise.all(Array.from({ length: OPENING_LOGINS }, () => createPerson([CLIENT], 3600)));
});
afterEach(async () => {
  resume?.();
  await eventually(async () => (await health()).status === 200, RECOVERS_WITHIN_MS);
});

async function health(): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/vestibule-trials/health`);
  return { status: answer.status, body: await answer.json() };
}

const breakersOpen = async () => (await scrape(Number(new URL(bridgeEnvironment()['KEYCLOAK_MANAGEMENT_URL'] ?? '').port))).sum('vestibule_bridge_breakers_open');

async function signIn(person: Person): Promise<{ end: 'in' | 'refused'; took: number }> {
  const browser = httpBrowser();
  const login = await browser.get(`${stack().proxy}/api/login`);
  const started = Date.now();
  const page = await browser.submit(login.form('kc-form-login'), { username: person.username, password: person.password });
  return { end: page.url.startsWith(stack().proxy) ? 'in' : 'refused', took: Date.now() - started };
}

test('while the bridge is dead, stamps decide and no login waits for it; it is called again when it is back', async () => {
  const invitation = await invite(freshAddress('ada'));
  expect(await health()).toEqual({ status: 200, body: { bridge: { breaker: 'closed' } } });
  expect(await breakersOpen()).toBe(0);

  resume = pause('bridge');
  // These wait for it: each once, all at once.
  const first = await Promise.all(crowd.map((person) => signIn(person)));
  expect(first.map(({ end }) => end)).toEqual(crowd.map(() => 'in'));
  expect(Math.max(...first.map(({ took }) => took))).toBeGreaterThanOrEqual(LIMIT_MS);

  // One of them may be the try that comes now and then.
  const after = [];
  for (const person of [live!, ended!, live!, ended!]) after.push(await signIn(person));
  expect(after.map(({ end }) => end)).toEqual(['in', 'refused', 'in', 'refused']);
  expect(after.filter(({ took }) => took < LIMIT_MS).length).toBeGreaterThanOrEqual(2);
  expect(await breakersOpen()).toBe(1);
  expect((await health()).status).toBe(503);
  expect((await httpBrowser().get(invitation)).body).not.toContain('kc-register-form');

  resume();
  await eventually(async () => (await health()).status === 200, RECOVERS_WITHIN_MS);
  expect(await breakersOpen()).toBe(0);
  const before = await questionsAboutTrials();
  expect((await signIn(live!)).end).toBe('in');
  await eventually(async () => (await questionsAboutTrials()) > before);
  expect((await httpBrowser().get(invitation)).body).toContain('kc-register-form');
  await eventually(async () => {
    const events: { resourceType: string; error?: string; authDetails: { clientId: string } }[] = await keycloakAdmin().get('/admin-events?operationTypes=ACTION');
    const turns = events.filter(({ resourceType }) => resourceType === 'VESTIBULE_BRIDGE');
    return turns.length >= 2 && turns[0]?.error === undefined && turns[1]?.error === 'bridge_unanswered' && turns.every(({ authDetails }) => authDetails.clientId === 'vestibule-keycloak');
  });
  expect(logOf('keycloak')).toMatch(/bridge_breaker=open[^]*bridge_breaker=closed/);
});
