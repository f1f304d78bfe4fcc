import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { keptClaims } from '../../proxy/identity/kept-claims.ts';
import { send, type Browser } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada', roles: ['staff'], groups: ['/analysts'] };
const WANTED = 'X-Forwarded-User=sub, Remote-User=email, X-WebAuth-Teams=groups, X-Department=department, X-App-Roles=resource_access.app.roles, X-Nothing=no_such_claim';
const TOKEN_HAS = { department: 'Zürich, R&D\r\nX-Evil: 1', resource_access: { app: { roles: ['admin', 'a,b', 7] } } };

let stand: Stand;
let browser: Browser;
beforeAll(async () => {
  stand = await startStand({ env: { IDENTITY_HEADERS: WANTED, FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1' } });
  stand.provider.person = ADA;
  stand.provider.misbehave = { claims: (honest) => ({ ...honest, ...TOKEN_HAS }) };
  browser = await stand.signedIn();
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.provider.misbehave = { claims: (honest) => ({ ...honest, ...TOKEN_HAS }) };
});

const EXPECTED = { 'x-forwarded-user': 'user-ada', 'remote-user': 'ada@example.com', 'x-webauth-teams': '/analysts', 'x-app-roles': 'admin,7', 'x-nothing': '' };
const decoded = (value: unknown): string => Buffer.from(String(value), 'latin1').toString('utf8');

describe('identity headers of one’s own choice', () => {
  test('carry the claims that they name, and the usual ones are gone', async () => {
    await browser.get('/');
    const { headers } = stand.app.last();
    expect(headers).toMatchObject(EXPECTED);
    expect(headers['x-department']).toBe('');
    expect(headers['x-user']).toBeUndefined();
  });

  test('carry text outside of ASCII as UTF-8, control characters never', async () => {
    stand.provider.misbehave = { claims: (honest) => ({ ...honest, department: 'Zürich\r\nX-Evil: 1' }) };
    await (await stand.signedIn()).get('/');
    const { headers } = stand.app.last();
    expect([decoded(headers['x-department']), headers['x-evil']]).toEqual(['Zürich  X-Evil: 1', undefined]);
  });

  test.each(['X-Department: forged', 'x_department: forged', 'X.WebAuth.Teams: forged', 'REMOTE_USER: forged', 'X-WEBAUTH-TEAMS: forged', 'X-Nothing: forged', 'X_App_Roles: forged', 'X-User: forged'])('never what the request says by %s', async (line) => {
    const [name = '', value = ''] = line.split(': ');
    await browser.send('/', { headers: { [name]: value } });
    const { rawHeaders } = stand.app.last();
    expect(rawHeaders.join('\n')).not.toContain('forged');
  });

  test('are the same for gateways, empty about nobody (SECURITY 21)', async () => {
    const told = { 'x-forwarded-uri': '/', 'x-forwarded-host': new URL(stand.url).host };
    const ada = await send(stand.url, { headers: { ...told, cookie: `vestibule_dev=${browser.cookies.get('vestibule_dev')}` } }, '/api/auth');
    const nobody = await send(stand.url, { headers: told }, '/api/auth');
    for (const [name, value] of Object.entries(EXPECTED)) expect([name, ada.headers.get(name), nobody.headers.get(name)]).toEqual([name, value, '']);
    expect(ada.headers.get('x-user')).toBeNull();
  });

  test('follow the provider at a refresh, on every replica', async () => {
    stand.provider.misbehave = { claims: (honest) => ({ ...honest, department: 'before' }) };
    const other = await stand.replica();
    const refreshed = await stand.signedIn();
    stand.provider.misbehave = { claims: (honest) => ({ ...honest, department: 'after' }) };
    stand.clock.setOffset(400);
    await refreshed.get('/');
    expect(stand.app.last().headers['x-department']).toBe('after');
    await send(other.url, { headers: { cookie: `vestibule_dev=${refreshed.cookies.get('vestibule_dev')}`, host: new URL(stand.url).host } }, '/');
    expect(stand.app.last().headers['x-department']).toBe('after');
    stand.clock.setOffset(0);
    await other.proxy.stop();
  });
});

test.each([
  ['a text', { a: 'x' }, ['a'], { a: ['x'] }],
  ['a list', { a: ['x', 1, true, null, {}] }, ['a'], { a: ['x', '1', 'true'] }],
  ['a place inside', { a: { b: { c: 'x' } } }, ['a.b.c'], { 'a.b.c': ['x'] }],
  ['a name with dots', { 'https://x.example/a': 'x' }, ['https://x.example/a'], { 'https://x.example/a': ['x'] }],
  ['none of those that are there', { a: 'x' }, ['b'], null],
  ['an object', { a: { b: 1 } }, ['a'], null],
  ['no claim, but something every object has', {}, ['constructor', 'a.constructor', '__proto__.x'], null],
])('of a token is kept: %s', (_what, claims, names, kept) => {
  expect(keptClaims(claims, names)).toEqual(kept);
});
