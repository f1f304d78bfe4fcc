import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { SCHEMA_FILE, sitesSchemaText } from '../../dev/sites-schema.ts';
import { ConfigError } from '../../platform/config.ts';
import { mayPass, ruleFor, type UpstreamRule } from '../../proxy/site/site.ts';
import { USUAL_LIMITS } from '../../proxy/upstream/limits.ts';
import { loadSites, type SitesSource } from '../../proxy/site/sites-file.ts';
import { Browser, send } from './support/browser.ts';
import { CLIENT, startProvider, type TestProvider } from './support/provider.ts';
import { startApp, type TestServer } from './support/servers.ts';
import { startStand, type Stand } from './support/stand.ts';

const folder = mkdtempSync(join(tmpdir(), 'sites-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(text: string): string {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(file, text);
  return file;
}

const GOOD = `
sites:
  - public_url: https://app.example.com
    issuer: https://id.example.com/realms/acme
    client_id: acme
    client_secret_variable: ACME_SECRET
    upstreams:
      - to: http://app:3000
      - { path: /admin/, to: 'http://admin:3000', allow: { roles: [staff] } }
`;
const withSetting = (line: string): string => GOOD.replace('client_id: acme', `client_id: acme\n    ${line}`);
const XHR = { accept: 'application/json' };
const ENV = { ACME_SECRET: 'not-a-placeholder' };

function faultsOf(text: string, env: Record<string, string> = ENV): string {
  try {
    loadSites({ file: fileOf(text) }, env, 'production');
  } catch (error) {
    return (error as ConfigError).message;
  }
  return 'none';
}

function seen(source: SitesSource): string {
  return inspect(loadSites(source, ENV, 'production'), { depth: 9 });
}

function ruleOf(path: string): UpstreamRule {
  return { path, to: `http://${path}`, allow: undefined, limits: USUAL_LIMITS };
}

function cookieOf(browser: Browser): string {
  return [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}

describe('the sites file', () => {
  test('says who signs in where, and what stands behind it, longest path first', () => {
    expect(loadSites({ file: fileOf(GOOD) }, ENV, 'production')).toMatchObject([
      {
        publicUrl: 'https://app.example.com',
        provider: { issuer: 'https://id.example.com/realms/acme', internalUrl: 'https://id.example.com/realms/acme', clientId: 'acme' },
        upstreams: [
          { path: '/admin', to: 'http://admin:3000', allow: { roles: ['staff'], groups: [] } },
          { path: '/', to: 'http://app:3000', allow: undefined },
        ],
      },
    ]);
  });

  test.each<[string, string, string]>([
    ['an unknown key', GOOD.replace('client_id:', 'clientid:'), 'sites.0: Unrecognized key: "clientid"'],
    ['plain http', GOOD.replace('https://app.', 'http://app.'), 'sites.0.public_url: must be https in production'],
    ['localhost', GOOD.replace('app.example.com', 'localhost'), 'sites.0.public_url: must not be localhost in production'],
    ['a path in the public address', GOOD.replace('app.example.com', 'app.example.com/x'), 'sites.0.public_url: must be an origin'],
    ['neither a secret nor a key', GOOD.replace('    client_secret_variable: ACME_SECRET\n', ''), 'sites.0: must have either client_secret_variable or client_key_file'],
    ['a secret and a key', GOOD.replace('client_id: acme', 'client_id: acme\n    client_key_file: key.pem'), 'sites.0: must have either client_secret_variable or client_key_file'],
    ['a key that is not there', GOOD.replace('client_secret_variable: ACME_SECRET', 'client_key_file: /nowhere'), 'sites.0.client_key_file: /nowhere can’t be read (ENOENT)'],
    ['an origin to return to with a path', GOOD.replace('client_id: acme', 'client_id: acme\n    return_origins: [https://docs.example/x]'), 'sites.0.return_origins.0: must be an origin'],
    ['an origin to return to on plain http', GOOD.replace('client_id: acme', 'client_id: acme\n    return_origins: [http://docs.example]'), 'sites.0.return_origins.0: must be https in production'],
    ['nothing for "/"', GOOD.replace('to: http://app:3000', '{ path: /app, to: "http://app:3000" }').replace('- {', '- {'), 'one must take "/"'],
    ['one path twice', GOOD.replace('/admin/', '/'), 'sites.0.upstreams: two take /'],
    ['an encoded path (SECURITY 20)', GOOD.replace('/admin/', '/%61dmin'), 'sites.0.upstreams.1.path: must be a path of plain characters'],
    ['a dot segment (SECURITY 20)', GOOD.replace('/admin/', '/a/../b'), 'sites.0.upstreams.1.path: must not have dot segments'],
    ['a rule that lets nobody in', GOOD.replace('roles: [staff]', 'roles: []'), 'must name at least one role or group'],
    ['two sites of one host', GOOD + GOOD.split('sites:')[1], 'sites: two have the host app.example.com'],
    ['a header that has another meaning', withSetting('identity_headers: { Host: sub }'), 'sites.0.identity_headers.Host: is a header that has another meaning'],
    ['a header with an underscore', withSetting('identity_headers: { X_User: sub }'), 'must be a header name of letters, digits and dashes'],
    ['two headers of one name', withSetting('identity_headers: { X-User: sub, x-user: email }'), 'two headers have the same name'],
    ['every origin', withSetting("cors: { origins: ['*'] }"), 'sites.0.cors.origins.0: must be an http or https address'],
    ['an origin with a path', withSetting('cors: { origins: [https://www.example.com/x] }'), 'sites.0.cors.origins.0: must be an origin'],
    ['a time of nothing', GOOD.replace('to: http://app:3000', 'to: http://app:3000\n        limits: { answer_seconds: 0 }'), 'sites.0.upstreams.0.limits.answer_seconds: must be more than 0'],
    ['a sign-in service at an app’s origin (SECURITY 25)', GOOD.replace('https://id.example.com', 'https://app.example.com'), 'sites.0.issuer: must have an origin of its own in production'],
    ['no YAML', 'sites: [', 'is not usable'],
    ['no sites', 'sites: []', 'sites: '],
  ])('%s is refused', (_rule, text, fault) => {
    expect(faultsOf(text)).toContain(fault);
  });

  test('secrets stand in the environment: an unset one is named, its value never', () => {
    expect(faultsOf(GOOD, {})).toContain('sites.0.client_secret_variable: ACME_SECRET is not set');
    expect(faultsOf(GOOD, { ACME_SECRET: '${ACME_SECRET}' })).toContain('is an unreplaced placeholder');
  });

  test('the schema for editors is what the file is read by', () => {
    expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(sitesSchemaText());
  });

  test('may stand in a variable instead', () => {
    expect(seen({ text: GOOD })).toBe(seen({ file: fileOf(GOOD) }));
  });

  test('time limits are those that are named, and the usual ones', () => {
    const [site] = loadSites({ text: GOOD.replace('to: http://app:3000', 'to: http://app:3000\n        limits: { answer_seconds: 0.5, whole_seconds: 9 }') }, ENV, 'production');
    expect(site.upstreams.map(({ limits }) => limits)).toEqual([USUAL_LIMITS, { ...USUAL_LIMITS, answerMilliseconds: 500, wholeMilliseconds: 9_000 }]);
  });

  test('a fault in one site hides none in another', () => {
    const message = faultsOf(`${GOOD.replace('client_id:', 'clientid:')}${(GOOD.split('sites:')[1] ?? '').replace('app.example.com', 'other.example.com').replace('ACME_SECRET', 'OTHER_SECRET')}`);
    expect(message).toContain('sites.0: Unrecognized key');
    expect(message).toContain('sites.1.client_secret_variable: OTHER_SECRET is not set');
  });

  test('a fault of one kind hides none of another', () => {
    const message = faultsOf(`version: 1
sites:
  - public_url: http://app.example.com
    issuer: https://localhost/realms/acme
    client_id: acme
    client_secret_variable: NOT_SET
    cors: { origins: [https://www.example.com], max_age_seconds: -1 }
    upstreams:
      - { path: /a, to: 'http://app:3000' }
      - { path: /A, to: 'http://app:3000' }
  - public_url: http://app.example.com
    upstreams: [{ to: nowhere }]
`);
    for (const fault of [
      'the file: Unrecognized key: "version"',
      'sites.0.cors.max_age_seconds: must be at least 0',
      'sites.0.public_url: must be https in production',
      'sites.0.issuer: must not be localhost in production',
      'sites.0.client_secret_variable: NOT_SET is not set',
      'sites.0.upstreams: one must take "/"',
      'sites.0.upstreams: two take /a',
      'sites.1.client_id: is missing',
      'sites.1.upstreams.0.to: ',
      'sites.1: must have either client_secret_variable or client_key_file',
      'sites: two have the host app.example.com',
    ]) expect(message).toContain(`  ${fault}`);
  });

  test('a proof that can not be read is not called missing', () => {
    const message = faultsOf(GOOD.replace('ACME_SECRET', 'acme-secret'));
    expect(message).toContain('sites.0.client_secret_variable: must be the name of an environment variable');
    expect(message).not.toContain('must have either');
  });

  test('every fault is named at once', () => {
    const message = faultsOf(GOOD.replace('https://app.', 'http://app.').replace('/admin/', '/'), {});
    expect(message.match(/^ {2}sites/gm)).toHaveLength(3);
  });
});

describe('which app takes a path, whatever the spelling (SECURITY 20)', () => {
  const rules = ['/admin/reports', '/admin', '/'].map(ruleOf);
  test.each([
    ['/', '/'],
    ['/admin', '/admin'],
    ['/admin/', '/admin'],
    ['/admin/users', '/admin'],
    ['/administrators', '/'],
    ['/Admin', '/admin'],
    ['/%61dmin', '/admin'],
    ['/admin;jsessionid=1/users', '/admin'],
    ['/admin/reports', '/admin/reports'],
    ['/admin/reports-old', '/admin'],
  ])('%s goes to the app of %s', (path, expected) => {
    expect(ruleFor(rules, path)?.path).toBe(expected);
  });

  test.each([
    [undefined, { roles: [], groups: [] }, true],
    [{ roles: ['staff'], groups: [] }, { roles: ['staff'], groups: [] }, true],
    [{ roles: ['staff'], groups: ['/ops'] }, { roles: [], groups: ['/ops'] }, true],
    [{ roles: ['staff'], groups: [] }, { roles: ['Staff'], groups: ['staff'] }, false],
    [{ roles: ['staff'], groups: [] }, { roles: [], groups: [] }, false],
  ])('%j lets %j in: %s', (allow, person, expected) => {
    expect(mayPass({ path: '/', to: 'http://app', allow, limits: USUAL_LIMITS }, person)).toBe(expected);
  });
});

describe('two sites of one proxy', () => {
  const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada', roles: ['staff'] };
  let stand: Stand;
  let otherProvider: TestProvider;
  let adminApp: TestServer;
  let otherApp: TestServer;
  let otherHost: string | undefined;

  beforeAll(async () => {
    [otherProvider, adminApp, otherApp] = await Promise.all([startProvider(), startApp(), startApp()]);
    stand = await startStand({
      sites: (url, provider, app) => {
        otherHost ??= new URL(url).host.replace('127.0.0.1', 'localhost');
        return fileOf(`
sites:
  - public_url: ${url}
    issuer: ${provider.issuer}
    client_id: ${CLIENT.id}
    client_secret_variable: FIRST_SECRET
    upstreams: [{ to: '${app.url}' }, { path: /admin, to: '${adminApp.url}', allow: { roles: [staff], groups: [/ops/admins] } }]
  - public_url: http://${otherHost}
    issuer: ${otherProvider.issuer}
    client_id: ${CLIENT.id}
    client_secret_variable: FIRST_SECRET
    upstreams: [{ to: '${otherApp.url}' }]
`);
      },
      env: { FIRST_SECRET: CLIENT.secret, FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1' },
    });
  });
  afterAll(async () => {
    await stand.stop();
    await Promise.all([otherProvider.stop(), adminApp.stop(), otherApp.stop()]);
  });

  test('each sends people to its own provider, and its app gets them', async () => {
    stand.provider.person = ADA;
    const browser = await stand.signedIn();
    await browser.get('/hello');
    expect(stand.app.last()).toMatchObject({ url: '/hello', headers: { 'x-user': 'user-ada' } });
    const elsewhere = await send(stand.url, { headers: { host: otherHost ?? '' } }, '/api/login');
    expect(elsewhere.location).toContain(`${otherProvider.publicUrl}/`);
    await send(elsewhere.location ?? '');
    expect(otherProvider.authorizations.at(-1)?.effective.get('redirect_uri')).toBe(`http://${otherHost}/api/callback`);
  });

  test('at a site of another realm nobody begins a trial that was offered to an account: its people have other names there (SECURITY 3)', async () => {
    const before = stand.bridge.received.length;
    const at = `/trial/join?t=${'o'.repeat(43)}`;
    expect((await send(stand.url, { headers: { host: otherHost ?? '', accept: 'text/html' } }, at)).status).toBe(404);
    expect((await send(stand.url, { method: 'POST', form: { t: 'o'.repeat(43) }, headers: { host: otherHost ?? '', accept: 'text/html' } }, '/trial/join')).status).toBe(404);
    expect(stand.bridge.received).toHaveLength(before);
  });

  test('what one provider says of a person or a session of its own ends nothing of the other’s, and uses up no token of the other’s', async () => {
    stand.provider.person = ADA;
    const browser = await stand.signedIn();
    const told = { jti: 'the-same-for-both' };
    for (const claims of [told, { sid: undefined }]) {
      const token = await otherProvider.logoutToken(claims);
      const answer = await send(stand.url, { method: 'POST', form: { logout_token: token }, headers: { host: otherHost ?? '' } }, '/api/logout/back-channel');
      expect(answer.status).toBe(200);
    }
    expect((await send(stand.url, { headers: { ...XHR, cookie: cookieOf(browser) } }, '/')).status).toBe(200);
    const own = await send(stand.url, { method: 'POST', form: { logout_token: await stand.provider.logoutToken(told) } }, '/api/logout/back-channel');
    expect(own.status).toBe(200);
    expect((await send(stand.url, { headers: { ...XHR, cookie: cookieOf(browser) } }, '/')).status).toBe(401);
  });

  test('a session of one is worth nothing at the other (SECURITY 22)', async () => {
    const browser = await stand.signedIn();
    const cookie = cookieOf(browser);
    expect((await send(stand.url, { headers: { ...XHR, cookie } }, '/')).status).toBe(200);
    expect((await send(stand.url, { headers: { ...XHR, cookie, host: otherHost ?? '' } }, '/')).status).toBe(401);
  });

  test('back-channel logout by an address that is no site’s ends the sessions of whose token it is (SECURITY 23)', async () => {
    stand.provider.person = ADA;
    const [hers, theirs] = [await stand.signedIn(), new Browser(`http://${otherHost}`)];
    await theirs.follow(await theirs.get('/api/login'));
    const status = async (browser: Browser, host?: string) => (await send(stand.url, { headers: { ...XHR, cookie: cookieOf(browser), ...(host && { host }) } }, '/')).status;
    expect([await status(hers), await status(theirs, otherHost)]).toEqual([200, 200]);
    const told = async (token: string) => (await send(stand.url, { method: 'POST', form: { logout_token: token }, headers: { host: 'proxy.internal:8400' } }, '/api/logout/back-channel')).status;
    expect(await told(await otherProvider.logoutToken({ sid: undefined }))).toBe(200);
    expect([await status(hers), await status(theirs, otherHost)]).toEqual([200, 401]);
    expect(await told(await stand.provider.logoutToken({ sid: undefined }))).toBe(200);
    expect(await status(hers)).toBe(401);
    expect(await told(await stand.provider.logoutToken({ iss: 'https://evil.example' }))).toBe(400);
    expect(await told('no token')).toBe(400);
    expect((await send(stand.url, { headers: { host: 'proxy.internal:8400' } }, '/api/identity/keys')).status).toBe(200);
  });

  test('a host of neither: 421, but for its health', async () => {
    const reply = await send(stand.url, { headers: { ...XHR, host: 'evil.example' } }, '/');
    expect([reply.status, reply.json()['code']]).toEqual([421, 'misdirected_request']);
    expect((await send(stand.url, { headers: { host: '10.0.0.7:8400' } }, '/livez')).status).toBe(200);
  });

  test('X-Forwarded-Host of a trusted proxy chooses the site, that of anybody else none', async () => {
    const browser = await stand.signedIn();
    const told = { headers: { ...XHR, cookie: cookieOf(browser), 'x-forwarded-host': otherHost ?? '' } };
    expect((await send(stand.url, told, '/')).json()['login_url']).toContain(`http://${otherHost}/`);
    const strict = await stand.replica({ FORWARD_AUTH: 'false', TRUSTED_PROXIES: '' });
    expect((await send(strict.url, told, '/')).json()['login_url']).toContain(`${strict.url}/`);
    await strict.proxy.stop();
  });

  test('a session of one is worth nothing at the other, by forward auth too (SECURITY 22)', async () => {
    const cookie = cookieOf(await stand.signedIn());
    const ask = async (host: string) => (await send(stand.url, { headers: { cookie, 'x-forwarded-uri': '/', 'x-forwarded-host': host, host: 'vestibule-proxy:8400' } }, '/api/auth')).status;
    expect([await ask(new URL(stand.url).host), await ask(otherHost ?? ''), await ask('evil.example')]).toEqual([200, 401, 401]);
  });

  test('a path that needs a role: whoever has it passes, to the app of that path', async () => {
    stand.provider.person = ADA;
    const browser = await stand.signedIn();
    expect((await browser.get('/admin/users')).status).toBe(200);
    expect(adminApp.last().url).toBe('/admin/users');
  });

  test('whoever lacks it gets a page that says so, and programs a problem', async () => {
    stand.provider.person = { ...ADA, sub: 'user-bob', roles: [] };
    const browser = await stand.signedIn();
    const page = await browser.get('/admin/users');
    expect([page.status, page.body.includes('Your account may not see this'), page.body.includes('href="/api/logout"')]).toEqual([403, true, true]);
    const reply = await browser.send('/admin', { headers: XHR });
    expect([reply.status, reply.json()['code']]).toEqual([403, 'not_allowed']);
  });

  async function askAbout(roles: string[], groups: string[]): Promise<unknown[]> {
    stand.provider.person = { ...ADA, sub: `user-${roles.length}-${groups.length}`, roles, groups };
    const cookie = cookieOf(await stand.signedIn());
    const reply = await send(stand.url, { headers: { cookie, 'x-forwarded-uri': '/admin/x', 'x-forwarded-host': new URL(stand.url).host } }, '/api/auth');
    return [reply.status, reply.headers.get('x-user-groups')];
  }

  test('nor does a gateway hear that somebody without it may pass', async () => {
    expect(await askAbout([], ['/staff'])).toEqual([403, '']);
    expect(await askAbout([], ['/ops/admins'])).toEqual([200, '/ops/admins']);
    expect(await askAbout(['staff'], [])).toEqual([200, '']);
  });

  test('a group lets in as a role does', async () => {
    stand.provider.person = { ...ADA, sub: 'user-eve', roles: [], groups: ['/ops/admins'] };
    expect((await (await stand.signedIn()).get('/admin/users')).status).toBe(200);
  });

  test('and no web-socket either', async () => {
    stand.provider.person = { ...ADA, sub: 'user-bob', roles: [] };
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/admin/live`, { origin: stand.url, headers: { cookie: cookieOf(await stand.signedIn()) } });
    socket.on('error', () => {});
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(403);
  });
});
