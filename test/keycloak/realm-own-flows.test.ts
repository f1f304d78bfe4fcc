import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { httpBrowser, type Visit } from '../../platform/http-browser.ts';
import { freshAddress } from '../support/person.ts';
import { createRealm, PASSWORD, RETURN_TO, SHOP, type OtherRealm, type Ran } from '../support/realm-command.ts';
import { addLoginTheme, THEME_MARKS } from './support/login-theme.ts';

/** A realm that has made Keycloak its own: flows, form, theme, identity providers, overrides. */
const LIMIT_MS = 240_000;
const CAPTCHA = { 'site.key': 'a-site-key', 'secret.key': 'a-captcha-secret', action: 'register', useRecaptchaNet: 'false' };
const AFTER = 'our checks after a provider';
/** Of this run alone: Keycloak keeps the pages of a theme that it has shown. */
const THEME = `difference-club-${randomUUID()}`;
/** Of others, beside ours: nothing that a command prints has them. */
const PLANTED = { captcha: CAPTCHA['secret.key'], provider: 'provider-secret', mail: 'mail-secret' };

let realm: OtherRealm;
let before: { page: string; exported: Record<string, unknown> };
let takeThemeAway: () => void;
const said: string[] = [];

async function run(command: string, ...args: string[]): Promise<Ran> {
  const ran = await realm.run(command, args);
  said.push(ran.output);
  return ran;
}

beforeAll(async () => {
  takeThemeAway = addLoginTheme(THEME);
  const smtpServer = { host: '127.0.0.1', port: '1', from: 'a@example.com', auth: 'true', user: 'x', password: PLANTED.mail };
  realm = await createRealm({ loginTheme: THEME, verifyEmail: false, smtpServer });
  const { admin } = realm;
  const profile = await admin.get('/users/profile');
  const company = { name: 'company', displayName: 'Company', required: { roles: ['user'] }, permissions: { view: ['admin', 'user'], edit: ['admin', 'user'] }, multivalued: false };
  await admin.put('/users/profile', { ...profile, attributes: [...profile.attributes, company] });

  await copy('registration', 'our registration');
  await change('our registration', 'registration-terms-and-conditions', { requirement: 'REQUIRED' });
  const captcha = await change('our registration', 'registration-recaptcha-action', { requirement: 'REQUIRED' });
  await admin.post(`/authentication/executions/${captcha}/config`, { alias: 'captcha', config: CAPTCHA });
  await copy('browser', 'our browser');
  await change('our browser', 'auth-spnego', { requirement: 'ALTERNATIVE' });
  await copy('browser', 'browser for staff');
  await copy('first broker login', 'our first login');
  await admin.put('', { registrationFlow: 'our registration', browserFlow: 'our browser' });

  const after = await admin.create('/authentication/flows', { alias: AFTER, providerId: 'basic-flow', topLevel: true, builtIn: false, description: '' });
  await admin.post('/authentication/executions', { parentFlow: after, authenticator: 'allow-access-authenticator', authenticatorFlow: false, requirement: 'REQUIRED', priority: 10 });
  const provider = { providerId: 'oidc', enabled: true, config: { clientId: 'x', clientSecret: PLANTED.provider, authorizationUrl: 'http://localhost:1/auth', tokenUrl: 'http://localhost:1/token' } };
  await admin.post('/identity-provider/instances', { ...provider, alias: 'occupied', postBrokerLoginFlowAlias: AFTER, firstBrokerLoginFlowAlias: 'our first login' });
  await admin.post('/identity-provider/instances', { ...provider, alias: 'free' });

  const flows = await admin.get('/authentication/flows');
  const staff = flows.find(({ alias }: { alias: string }) => alias === 'browser for staff');
  await admin.post('/clients', { clientId: 'staff', publicClient: true, redirectUris: [RETURN_TO], authenticationFlowBindingOverrides: { browser: staff.id } });
  await admin.post('/clients', { clientId: 'script', publicClient: true, directAccessGrantsEnabled: true, standardFlowEnabled: false });
  before = { page: plain(await registrationPage()), exported: await realm.exported() };
  for (const args of [[], ['--json']]) await run('plan', ...args);
  const { status, output } = await run('apply');
  if (status !== 0) throw new Error(output);
}, LIMIT_MS);
afterAll(async () => {
  await realm.delete();
  takeThemeAway();
});

const copy = (from: string, newName: string): Promise<void> => realm.admin.post(`/authentication/flows/${encodeURIComponent(from)}/copy`, { newName });

async function change(flow: string, provider: string, fields: Record<string, string>): Promise<string> {
  const path = `/authentication/flows/${encodeURIComponent(flow)}/executions`;
  const step = (await realm.admin.get(path)).find((one: { providerId?: string }) => one.providerId === provider);
  await realm.admin.put(path, { ...step, ...fields });
  return step.id;
}

const registrationPage = (client = SHOP): Promise<Visit> => httpBrowser().get(realm.authorizationUrl(client, { prompt: 'create' }));

/** Without what is another one at every visit. */
function plain({ body }: Visit): string {
  return body.replaceAll(/(session_code|execution|tab_id|client_data)=[\w.=%-]+/g, '$1=').replaceAll(/"[\w+/]{64}"/g, '"(the session)"');
}

test('ordinary registration shows the same page of the realm\'s own theme, to the byte', async () => {
  const page = await registrationPage();
  for (const part of ['name="company"', 'termsAccepted', 'a-site-key', 'register', ...THEME_MARKS]) expect(page.body).toContain(part);
  expect(plain(page)).toBe(before.page);
});

test('and makes the same account, once the captcha is content', async () => {
  // There is no captcha server here. The admin switches it off in the flow that is bound: ours to see, hers to change.
  await change('our registration with vestibule', 'registration-recaptcha-action', { requirement: 'DISABLED' });
  const address = freshAddress('ordinary');
  const browser = httpBrowser({ follow: (url) => !url.href.startsWith(RETURN_TO) });
  const form = (await browser.get(realm.authorizationUrl(SHOP, { prompt: 'create' }))).form('kc-register-form');
  const values = { email: address, firstName: 'Ada', lastName: 'Lovelace', password: PASSWORD, 'password-confirm': PASSWORD, company: 'Analytical' };
  const refused = await browser.submit(form, values);
  expect(refused.body).toContain('termsAccepted');
  expect((await browser.submit(refused.form('kc-register-form'), { ...values, termsAccepted: 'on' })).url).toContain('code=');
  const [user] = await realm.admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
  expect(user).toMatchObject({ emailVerified: false, attributes: { company: ['Analytical'] } });
  expect(user.attributes.trial_stamp).toBeUndefined();
  await change('our registration with vestibule', 'registration-recaptcha-action', { requirement: 'REQUIRED' });
});

test('without an invitation nobody registers through the product\'s client', async () => {
  const page = await httpBrowser().get(realm.authorizationUrl('vestibule-proxy', { prompt: 'create', redirect_uri: `${realm.env['PROXY_PUBLIC_URL']}/api/callback`, code_challenge: 'a'.repeat(43), code_challenge_method: 'S256' }));
  expect(page.status).toBe(403);
  expect(page.body).not.toContain('kc-register-form');
});

test('a person signs in through the realm\'s own flow, the client\'s own, and without a browser', async () => {
  const { username } = await realm.addPerson({ attributes: { company: ['Analytical'] } });
  for (const client of [SHOP, 'staff']) {
    const browser = httpBrowser({ follow: (url) => !url.href.startsWith(RETURN_TO) });
    expect((await browser.submit(await browser.get(realm.authorizationUrl(client)), { username, password: PASSWORD })).url).toContain('code=');
  }
  const answer = await fetch(`${realm.url}/protocol/openid-connect/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'password', client_id: 'script', username, password: PASSWORD }) });
  expect(answer.status).toBe(200);
});

const STAND_INS: [original: string, added: string[]][] = [
  ['our browser', ['REQUIRED vestibule-flow-succession', 'REQUIRED flow', 'REQUIRED trial-expiration-authenticator']],
  ['browser for staff', ['REQUIRED vestibule-flow-succession', 'REQUIRED flow', 'REQUIRED trial-expiration-authenticator']],
  [AFTER, ['REQUIRED vestibule-flow-succession', 'REQUIRED trial-expiration-authenticator']],
  ['our first login', ['REQUIRED vestibule-flow-succession', 'REQUIRED trial-token-authenticator']],
];
test.each(STAND_INS)('SECURITY 4, 6: "%s" is occupied, and its copy keeps the steps', async (original, added) => {
  const replacing: Record<string, string> = { 'vestibule-username-password-form': 'auth-username-password-form', 'trial-provider-creation': 'idp-create-user-if-unique' };
  const steps = (await realm.steps(`${original} with vestibule`)).map((step) => step.replace(/\S+$/, (name) => replacing[name] ?? name));
  const kept = await realm.steps(original);
  expect(steps.filter((step) => added.includes(step) && !kept.includes(step)).length).toBeGreaterThanOrEqual(added.includes('REQUIRED flow') ? 2 : added.length);
  expect(steps.toSorted()).toEqual([...kept, ...added].toSorted());
});

test('SECURITY 4: every place has the copy that belongs to it', async () => {
  const [occupied, free, [staff], flows] = await Promise.all([
    realm.admin.get('/identity-provider/instances/occupied'),
    realm.admin.get('/identity-provider/instances/free'),
    realm.admin.get('/clients?clientId=staff'),
    realm.admin.get('/authentication/flows'),
  ]);
  expect(occupied).toMatchObject({ postBrokerLoginFlowAlias: `${AFTER} with vestibule`, firstBrokerLoginFlowAlias: 'our first login with vestibule' });
  expect(free).toMatchObject({ postBrokerLoginFlowAlias: 'vestibule post broker login' });
  expect(flows.find(({ id }: { id: string }) => id === staff.authenticationFlowBindingOverrides.browser).alias).toBe('browser for staff with vestibule');
  expect(await realm.bound()).toMatchObject({ browserFlow: 'our browser with vestibule', registrationFlow: 'our registration with vestibule' });
});

test('SECURITY 4, 6: the doctor finds nothing that opens a way around the end, or makes an account', async () => {
  const { findings } = await realm.doctor();
  const ours = new Set(['browser-flow', 'direct-grant-flow', 'reset-credentials-flow', 'registration-flow', 'first-broker-login-flow', 'post-broker-flow', 'client-policy']);
  expect(findings.filter(({ check }) => ours.has(check))).toEqual([]);
});

test('a flow of theirs that changes while the stock flows are bound is copied anew', async () => {
  expect(await run('stock')).toMatchObject({ status: 0 });
  await change('our browser', 'auth-spnego', { requirement: 'DISABLED' });
  const { output } = await run('apply');
  expect(output.match(/is made/g)).toHaveLength(1);
  expect(await realm.bound()).toMatchObject({ browserFlow: 'our browser with vestibule 2', registrationFlow: 'our registration with vestibule' });
  expect(await realm.steps('our browser with vestibule 2')).toContain('DISABLED auth-spnego');
  await run('stock');
  await change('our browser', 'auth-spnego', { requirement: 'ALTERNATIVE' });
}, LIMIT_MS);

test('stock and remove give each its own back', async () => {
  expect(await run('remove')).toMatchObject({ status: 2 });
  expect(await run('remove', '--yes', '--now')).toMatchObject({ status: 0 });
  expect({ ...(await realm.exported()), '/users': before.exported['/users'] }).toEqual(before.exported);
  expect(plain(await registrationPage())).toBe(before.page);
}, LIMIT_MS);

test('SECURITY 14: plan, apply, stock and remove print no secret, ours or another\'s', () => {
  const printed = said.join('\n');
  for (const part of ['client secret: set', '"changes": [', 'The flows of before are bound.', 'Vestibule is out of this realm.']) expect(printed).toContain(part);
  for (const secret of Object.values({ ...realm.secrets, ...PLANTED })) expect(printed).not.toContain(secret);
});
