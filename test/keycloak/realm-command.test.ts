import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { httpBrowser } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { stack } from '../support/stack.ts';
import { keycloakWith, type EditedKeycloak } from './support/edited-keycloak.ts';
import { createRealm, PASSWORD, RETURN_TO, type OtherRealm } from '../support/realm-command.ts';

const LIMIT_MS = 240_000;
/** Generous: others share the machine. Alone it takes a few. */
const STOCK_WITHIN_SECONDS = 30;
const REPLACING: Record<string, string> = {
  'vestibule-username-password-form': 'auth-username-password-form',
  'vestibule-reset-choose-user': 'reset-credentials-choose-user',
  'vestibule-reset-credential-email': 'reset-credential-email',
};

describe('on a realm with Keycloak\'s own flows', () => {
  let realm: OtherRealm;
  let before: Record<string, unknown>;
  const said: string[] = [];
  const run = async (command: string, ...args: string[]) => {
    const ran = await realm.run(command, args);
    said.push(ran.output);
    return ran;
  };

  beforeAll(async () => {
    const { smtpServer } = await keycloakAdmin().get('');
    realm = await createRealm({ offlineSessionMaxLifespanEnabled: true, offlineSessionMaxLifespan: 2_592_000, smtpServer });
    before = await realm.exported();
  });
  afterAll(() => realm.delete());

  test('plan names what would change, and writes nothing', async () => {
    const writes = await realm.countWrites();
    const { status, output } = await run('plan');
    expect(status).toBe(2);
    for (const subject of ['client vestibule-proxy', 'group /vestibule-trials', 'user attribute trial_stamp', 'flow "browser with vestibule"', 'policy vestibule', 'permission "vestibule accounts of programs"', 'group /vestibule-trials/app', 'browser: browser with vestibule']) expect(output).toContain(subject);
    const asJson = await run('plan', '--json');
    expect(asJson.status).toBe(2);
    const planned = JSON.parse(asJson.output);
    expect(planned).toMatchObject({ blockers: [], notes: expect.arrayContaining([expect.stringContaining('Registration is open')]) });
    const lines = planned.changes.map(({ subject, what, before: was }: Record<string, string>) => `${was === undefined ? '+' : '~'}     ${subject}: ${what}`);
    expect(lines).toEqual(output.split('\n').filter((line) => /^[+~] /.test(line)));
    expect(planned.changes.every(({ why }: { why: string }) => output.includes(why))).toBe(true);
    expect(await realm.countWrites()).toBe(writes);
    expect(await realm.exported()).toEqual(before);
  });

  test('apply leaves nothing to the doctor, and again is a no-op', async () => {
    expect(await run('apply')).toMatchObject({ status: 0 });
    // The bridge at that address is another realm's; test/journey/taken-up has one of its own.
    expect((await realm.doctor()).findings.map(({ check }) => check)).toEqual(['extra-parameters']);
    const writes = await realm.countWrites();
    expect(await run('apply')).toEqual({ status: 0, output: 'Nothing to change.\n' });
    expect(await run('plan')).toMatchObject({ status: 0 });
    const { status, output } = await run('plan', '--json');
    expect({ status, ...JSON.parse(output) }).toEqual({ status: 0, blockers: [], changes: [], notes: expect.any(Array) });
    expect(await realm.countWrites()).toBe(writes);
  }, LIMIT_MS);

  test('the flows of before are as they were, and ours are copies with steps of ours', async () => {
    expect(await realm.steps('browser')).not.toContain('REQUIRED trial-expiration-authenticator');
    const theirs = async (alias: string): Promise<string[]> => (await realm.steps(alias)).map((step) => step.replace(/\S+$/, (name) => REPLACING[name] ?? name));
    expect((await theirs('browser with vestibule')).slice(2, -1)).toEqual(await realm.steps('browser'));
    expect((await theirs('reset credentials with vestibule')).slice(1, -1)).toEqual(await realm.steps('reset credentials'));
  });

  test('a client that is there keeps its secret, an address that moved is changed', async () => {
    const env = { PROXY_CLIENT_SECRET: 'another', CONTACT_URL: 'mailto:elsewhere@example.com' };
    const planned = await realm.run('plan', [], env);
    expect(planned.output).toContain('contactUrl: mailto:elsewhere@example.com');
    expect(planned.output).not.toContain('secret');
    expect(await realm.run('apply', [], env)).toMatchObject({ status: 0 });
    const [client] = await realm.admin.get('/clients?clientId=vestibule-proxy');
    expect((await realm.admin.get(`/clients/${client.id}/client-secret`)).value).toBe(realm.secrets.proxy);
    expect(await run('apply')).toMatchObject({ status: 0 });
  }, LIMIT_MS);

  test('stock gives the flows back, and apply takes them up again without making them', async () => {
    const ours = await realm.bound();
    const { status, output } = await run('stock');
    expect(status).toBe(0);
    const [line, seconds] = /The flows of before are bound\. ([\d.]+) s\./.exec(output) ?? [];
    process.stdout.write(`      ${line}\n`);
    expect(Number(seconds)).toBeLessThan(STOCK_WITHIN_SECONDS);
    expect(await realm.bound()).toEqual({ browserFlow: 'browser', registrationFlow: 'registration', directGrantFlow: 'direct grant', resetCredentialsFlow: 'reset credentials', firstBrokerLoginFlow: 'first broker login' });
    const again = await run('apply');
    expect(again.output).not.toContain('is made');
    expect(await realm.bound()).toEqual(ours);
  }, LIMIT_MS);

  test('remove asks first, waits for sign-ins under way, and leaves the realm as it was', async () => {
    const writes = await realm.countWrites();
    const asked = await run('remove');
    expect(asked.status).toBe(2);
    expect(asked.output).toContain('--yes');
    expect(asked.output).toContain('client vestibule-proxy: is deleted');
    expect(await realm.countWrites()).toBe(writes);

    const waiting = await run('remove', '--yes');
    expect(waiting.status).toBe(2);
    expect((await realm.admin.get('/authentication/flows')).map(({ alias }: { alias: string }) => alias)).toContain('browser with vestibule');
    expect(await run('remove', '--yes', '--now')).toMatchObject({ status: 0 });
    expect(await realm.exported()).toEqual(before);
  }, LIMIT_MS);

  test('SECURITY 14: no secret is ever printed', () => {
    const printed = said.join('\n');
    expect(printed).toContain('client secret: set');
    for (const secret of Object.values(realm.secrets)) expect(printed).not.toContain(secret);
  });
});

describe('refuses, says what to do, and writes nothing', () => {
  let realm: OtherRealm;
  let bare: Server;
  let ofThree: EditedKeycloak;
  let withoutKeeper: EditedKeycloak;
  beforeAll(async () => {
    realm = await createRealm();
    // A node of the cluster that was not given the jar.
    bare = createServer((_, response) => response.end(JSON.stringify({ providers: { authenticator: { providers: {} } } }))).listen(0, '127.0.0.1');
    await once(bare, 'listening');
    ofThree = await keycloakWith({ path: '/admin/serverinfo', edit: (info) => void (info.providers.connectionsInfinispan.providers.default.operationalInfo.clusterSize = '3') });
    withoutKeeper = await keycloakWith({ path: '/admin/serverinfo', edit: (info) => void delete info.providers['realm-restapi-extension'].providers['vestibule-trials'] });
  });
  afterAll(async () => {
    bare.close();
    await Promise.all([ofThree.close(), withoutKeeper.close()]);
    await realm.delete();
  });

  const bareNode = (): string => `http://127.0.0.1:${(bare.address() as AddressInfo).port}`;
  const REFUSALS: [string, () => Record<string, string>, RegExp][] = [
    ['a node without the jar', () => ({ KEYCLOAK_NODE_URLS: `${stack().keycloak},${bareNode()}` }), /node http:\/\/127\.0\.0\.1:\d+ has no provider jar\s+→ Copy vestibule-keycloak\.jar/],
    ['a node that is down', () => ({ KEYCLOAK_NODE_URLS: `${stack().keycloak},http://127.0.0.1:1` }), /node http:\/\/127\.0\.0\.1:1 can't be asked for its jar/],
    ['a node with an older jar of the same contract', () => ({ KEYCLOAK_NODE_URLS: `${stack().keycloak},${withoutKeeper.url}` }), /has a jar without the endpoint that keeps stamps[^\n]*\s+→ Copy the jar of this release/],
    ['nodes that are not listed', () => ({ KEYCLOAK_NODE_URLS: ofThree.url }), /the cluster has 3 nodes, of which 1 can be asked for the jar\s+→ List the internal address of every node in KEYCLOAK_NODE_URLS/],
    ['one node listed three times', () => ({ KEYCLOAK_NODE_URLS: Array.from({ length: 3 }, () => ofThree.url).join(',') }), /the cluster has 3 nodes, of which 1 can be asked/],
    ['missing variables, all at once', () => ({ BRIDGE_INTERNAL_URL: '', PROXY_CLIENT_SECRET: '', REALM_ADMIN_PASSWORD: '' }), /REALM_ADMIN_PASSWORD: is not set[\s\S]*(PROXY_CLIENT_SECRET|BRIDGE_INTERNAL_URL): is not set[\s\S]*(PROXY_CLIENT_SECRET|BRIDGE_INTERNAL_URL): is not set/],
    ['SECURITY 2: a bridge over plain http', () => ({ VESTIBULE_MODE: 'production', PROXY_PUBLIC_URL: 'https://app.example.com', BRIDGE_INTERNAL_URL: 'http://bridge.example.com' }), /BRIDGE_INTERNAL_URL: must be https/],
    ['SECURITY 26: localhost in production', () => ({ VESTIBULE_MODE: 'production' }), /PROXY_PUBLIC_URL: must be https/],
    ['a wrong password', () => ({ REALM_ADMIN_PASSWORD: 'wrong' }), /did not let the admin in at realm master \(40[01]\)\. Set REALM_ADMIN_USERNAME/],
    ['Keycloak down', () => ({ KEYCLOAK_INTERNAL_URL: 'http://127.0.0.1:1' }), /does not answer at http:\/\/127\.0\.0\.1:1[\s\S]*KEYCLOAK_INTERNAL_URL/],
    ['no such realm', () => ({ KEYCLOAK_REALM: 'nowhere' }), /There is no realm nowhere\. Set KEYCLOAK_REALM/],
  ];
  test.each(REFUSALS)('%s', async (_, env, message) => {
    const writes = await realm.countWrites();
    const { status, output } = await realm.run('apply', [], env());
    expect(output).toMatch(message);
    expect(status).toBe(1);
    expect(await realm.countWrites()).toBe(writes);
  });

  test.each([
    ['registrationEmailAsUsername', false, 'Email as username'],
    ['duplicateEmailsAllowed', true, 'Duplicate emails'],
    ['editUsernameAllowed', true, 'Edit username'],
  ])('%s: %s', async (setting, value, click) => {
    await realm.admin.put('', { [setting]: value, ...(setting === 'duplicateEmailsAllowed' ? { registrationEmailAsUsername: false, loginWithEmailAllowed: false } : {}) });
    const writes = await realm.countWrites();
    const { status, output } = await realm.run('apply');
    expect(output).toMatch(new RegExp(`STOP {2}realm [\\s\\S]*→ Realm settings → Login: [^\n]*${click}`));
    expect(status).toBe(1);
    expect(await realm.countWrites()).toBe(writes);
    await realm.admin.put('', { registrationEmailAsUsername: true, duplicateEmailsAllowed: false, editUsernameAllowed: false, loginWithEmailAllowed: true });
  });

  test.each(['stock', 'remove'])('%s where nothing was taken up', async (command) => {
    const { status, output } = await realm.run(command, ['--yes']);
    expect(output).toContain('was not taken up');
    expect(status).toBe(1);
  });
});

test('a realm that had no registration stays closed: its form is for the invited', async () => {
  const realm = await createRealm({ registrationAllowed: false });
  expect((await realm.run('plan')).output).toContain('user registration: on, by invitation');
  expect(await realm.run('apply')).toMatchObject({ status: 0 });
  const page = await httpBrowser().get(realm.authorizationUrl('shop', { prompt: 'create' }));
  expect(page.status).toBe(403);
  expect(await realm.run('stock')).toMatchObject({ status: 0 });
  expect((await realm.admin.get('')).registrationAllowed).toBe(false);
  expect(await realm.run('apply')).toMatchObject({ status: 0 });
  expect((await httpBrowser().get(realm.authorizationUrl('shop', { prompt: 'create' }))).status).toBe(403);
  const { username } = await realm.addPerson();
  const browser = httpBrowser({ follow: (url) => !url.href.startsWith(RETURN_TO) });
  const signedIn = await browser.submit(await browser.get(realm.authorizationUrl()), { username, password: PASSWORD });
  expect(signedIn.url).toContain('code=');
  await realm.delete();
}, LIMIT_MS);
