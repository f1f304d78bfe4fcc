import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../dev/ports.ts';
import { dropDatabase, withClient } from '../../dev/postgres.ts';
import { bridgeEnvironment } from '../support/doctor.ts';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type Visit } from '../../platform/http-browser.ts';
import { freshAddress } from '../support/person.ts';
import { createRealm, PASSWORD, RETURN_TO, SHOP, type OtherRealm } from '../support/realm-command.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { inbox, stack } from '../support/stack.ts';
import { submitForm } from '../support/visitor.ts';

/** What an admin gets who runs `npm run realm -- apply` on a realm that he has, and starts a bridge and a proxy for it. */
const LIMIT_MS = 240_000;
const database = `taken_up_${randomUUID().slice(0, 8)}`;
const parts: ChildProcess[] = [];
let realm: OtherRealm;
let proxy: string;
let bridgeEnv: Record<string, string>;

beforeAll(async () => {
  const { smtpServer } = await keycloakAdmin().get('');
  realm = await createRealm({ loginTheme: 'keycloak', verifyEmail: true, offlineSessionMaxLifespanEnabled: true, offlineSessionMaxLifespan: 2_592_000, smtpServer });
  const [bridgePort, proxyPort] = [await freePort(), await freePort()];
  proxy = `http://localhost:${proxyPort}`;
  const bridge = `http://127.0.0.1:${bridgePort}`;
  const applied = await realm.run('apply', [], { PROXY_PUBLIC_URL: proxy, PROXY_INTERNAL_URL: proxy, BRIDGE_INTERNAL_URL: bridge });
  if (applied.status !== 0) throw new Error(applied.output);

  await withClient(stack().databaseUrl, (client) => client.query(`create database ${database}`));
  const databaseUrl = new URL(stack().databaseUrl);
  databaseUrl.pathname = `/${database}`;
  const shared = { ...bridgeEnvironment(), KEYCLOAK_REALM: realm.name, PROXY_PUBLIC_URL: proxy, STAFF_URL: proxy, LOG_LEVEL: 'warn', PATH: process.env['PATH'] ?? '' };
  bridgeEnv = { ...shared, BRIDGE_PORT: String(bridgePort), BRIDGE_METRICS_PORT: '', BRIDGE_DATABASE_URL: databaseUrl.href, BRIDGE_CLIENT_SECRET: realm.secrets.bridge, BRIDGE_INTERNAL_URL: bridge };
  start('bridge', bridgeEnv);
  start('proxy', {
    ...shared,
    PROXY_HOST: '127.0.0.1',
    PROXY_PORT: String(proxyPort),
    PROXY_DATABASE_URL: databaseUrl.href,
    PROXY_CLIENT_SECRET: realm.secrets.proxy,
    SESSION_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BRIDGE_INTERNAL_URL: bridge,
    APP_INTERNAL_URL: stack().app,
  });
  await eventually(async () => (await fetch(`${bridge}/readyz`)).ok && (await fetch(`${proxy}/readyz`)).ok, 60_000);
}, LIMIT_MS);

afterAll(async () => {
  for (const part of parts) {
    part.kill();
    if (part.exitCode === null) await once(part, 'close');
  }
  await withClient(stack().databaseUrl, (client) => dropDatabase(client, database));
  await realm.delete();
});

function start(name: 'bridge' | 'proxy', env: Record<string, string>): void {
  parts.push(spawn(process.execPath, [`${name}/main.ts`], { env, stdio: ['ignore', 'ignore', 'inherit'] }));
}

const isInApp = (page: Visit): boolean => page.status === 200 && new URL(page.url).origin === proxy && page.body.includes('data-testid="sample-app"');

test('the doctor finds nothing but the password that Keycloak leaves out of the form of a realm that verifies addresses', async () => {
  expect((await realm.doctor(bridgeEnv)).findings.map(({ check }) => check)).toEqual(['step-settings']);
}, LIMIT_MS);

test('an invited person ends in the app, with the realm\'s own theme on the way, and signs in again', async () => {
  const address = freshAddress('invited');
  const answer = await fetch(`${proxy}/api/trial/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username: address }) });
  expect(answer.status).toBe(202);
  const { links } = await inbox.waitForMail(address);
  const form = await httpBrowser().get(links.find((one) => one.includes('invitation_token='))!);
  expect(form.body).toContain(`value="${address}"`);

  const browser = httpBrowser();
  let page = await submitForm(browser, await browser.get(links.find((one) => one.includes('invitation_token='))!));
  // Where the realm verifies addresses itself, Keycloak leaves the password out of the form and asks for it afterwards.
  if (page.body.includes('password-new')) page = await browser.submit(page.form(), { 'password-new': PASSWORD, 'password-confirm': PASSWORD });
  expect(isInApp(page)).toBe(true);

  const [user] = await realm.admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
  expect(user.emailVerified).toBe(true);
  expect(JSON.parse(user.attributes.trial_stamp[0])).toMatchObject({ product: 'app', clients: ['vestibule-proxy'] });
  const other = httpBrowser();
  const login = await other.get(`${proxy}/api/login`);
  expect(isInApp(await other.submit(login.form('kc-form-login'), { username: address, password: PASSWORD }))).toBe(true);
}, LIMIT_MS);

test('SECURITY 4: the end of a trial holds on the flows that were taken up, for the product\'s client only', async () => {
  const past = Math.floor(Date.now() / 1000) - 60;
  const stamp = JSON.stringify({ product: 'app', state: 'active', trial_ends_at: past, trial_access_until: past, trial_app: randomUUID(), clients: ['vestibule-proxy'] });
  const { username } = await realm.addPerson({ attributes: { trial_stamp: [stamp] } });
  const browser = httpBrowser();
  const ended = await browser.submit((await browser.get(`${proxy}/api/login`)).form('kc-form-login'), { username, password: PASSWORD });
  expect(ended.body).toContain('Your trial has ended');
  const shopper = httpBrowser({ follow: (url) => !url.href.startsWith(RETURN_TO) });
  expect((await shopper.submit(await shopper.get(realm.authorizationUrl(SHOP)), { username, password: PASSWORD })).url).toContain('code=');
});

test('stock: trials have no end in Keycloak, and everybody signs in as before', async () => {
  expect(await realm.run('stock')).toMatchObject({ status: 0 });
  const { username } = await realm.addPerson();
  const browser = httpBrowser();
  expect(isInApp(await browser.submit((await browser.get(`${proxy}/api/login`)).form('kc-form-login'), { username, password: PASSWORD }))).toBe(true);
}, LIMIT_MS);
