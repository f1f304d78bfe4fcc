import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { scrape } from '../support/exposition.ts';
import { send } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';
import { asSuperuser } from './support/superuser.ts';

const ACCESS_SECONDS = 300;

/** SECURITY 14: no token, cookie, code, key or signed link reaches a log, an error page or a metric, nor lies readable in a table. */
test('whatever happens, no secret is logged, shown or stored', async () => {
  const signingKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({ type: 'sec1', format: 'pem' }).toString();
  const sealKey = randomBytes(32).toString('base64');
  const stand = await startStand({
    env: { INVITATION_BY_PAR: 'false', IDENTITY_SIGNING_KEY: signingKey.replaceAll('\n', '\\n'), SESSION_ENCRYPTION_KEY: sealKey, FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1', PROXY_METRICS_PORT: '0' },
  });
  const browser = stand.browser();
  const invitation = 'inVitation-'.padEnd(43, 'x');
  const notMe = 'not-Me-token-'.padEnd(43, 'y');
  const pages: string[] = [];
  const used = new Set<string>([invitation, notMe, sealKey, ...signingKey.split('\n'), new URL(stand.database.proxyUrl).password]);
  const keep = async (reply: Promise<{ body: string; status: number }>): Promise<void> => {
    for (const value of browser.cookies.values()) if (value.length > 20) used.add(value);
    const { body, status } = await reply;
    if (status >= 400) pages.push(body);
  };
  const whole = async (path: string): Promise<void> => keep(browser.follow(await browser.get(path)));

  await whole(`/api/login?invitation_token=${invitation}&next_page=/x`);
  await whole('/page');
  const signed = String(stand.app.last().headers['x-vestibule-identity']);
  used.add(signed);
  const gateway = { 'x-forwarded-uri': '/page', 'x-forwarded-host': new URL(stand.url).host };
  expect((await browser.send('/api/auth', { headers: gateway })).headers.get('x-vestibule-identity')).toBe(signed);
  await keep(browser.send('/api/auth', { headers: { ...gateway, cookie: `vestibule_dev=${invitation}` } }));
  await keep(browser.send('/page', { headers: { accept: 'application/json', cookie: `vestibule_dev=${invitation}` } }));
  stand.clock.setOffset(ACCESS_SECONDS + 1);
  await whole('/page');
  stand.provider.misbehave = { refresh: { status: 400, body: { error: 'invalid_request', error_description: invitation } } };
  stand.clock.setOffset(2 * ACCESS_SECONDS + 2);
  await whole('/page');
  stand.provider.misbehave = {};
  const logoutToken = await stand.provider.logoutToken({ sid: 'sid-of-nobody' });
  const forgedToken = await stand.provider.logoutToken({}, { alg: 'other-key' });
  for (const logout_token of [logoutToken, logoutToken, forgedToken]) {
    used.add(logout_token);
    await keep(browser.send('/api/logout/back-channel', { method: 'POST', form: { logout_token } }));
  }
  stand.clock.setOffset(0);
  await keep(browser.post('/trial', { email: 'ada@example.com' }));
  await keep(browser.get(`/trial/not-me?t=${notMe}`));
  await keep(browser.post('/trial/not-me', { t: notMe }));
  const other = stand.browser();
  await other.follow(await other.get('/api/login'));
  stand.provider.person = { sub: 'user-bob', email: 'bob@example.com', name: 'Bob' };
  expect((await other.follow(await other.get('/api/login'))).at).toContain('/api/login/other-person');
  const socket = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'd2hhdGV2ZXIgaXQgaXMhIQ==', origin: 'https://evil.example' };
  await keep(send(stand.url, { headers: { ...socket, cookie: [...other.cookies].map(([name, value]) => `${name}=${value}`).join('; ') } }, `/live?token=${notMe}`));
  for (const value of other.cookies.values()) if (value.length > 20) used.add(value);
  const stored = (await everyRow(stand)).join('\n');
  await whole('/api/logout');
  for (const misbehave of [
    { redirect: (query: URLSearchParams) => query.set('iss', 'https://evil.example') },
    { redirect: (query: URLSearchParams) => query.set('error', 'server_error') },
    { claims: (claims: object) => ({ ...claims, nonce: 'other-nonce' }) },
    { signWith: 'other-key' as const },
    { token: { status: 400, body: { error: 'invalid_grant', error_description: 'code not valid' } } },
    { token: { status: 500, body: {} } },
    { token: { status: 200, body: { id_token: 'a.b.c', access_token: 'x', token_type: 'Bearer' } } },
  ]) {
    stand.provider.misbehave = misbehave;
    await whole(`/api/login?invitation_token=${invitation}`);
  }
  stand.provider.misbehave = { down: true };
  await whole(`/api/login?invitation_token=${invitation}`);
  stand.bridge.answer = (_req, res) => void res.writeHead(500).end();
  await keep(browser.post('/trial/not-me', { t: notMe }));
  await keep(browser.get(`/trial/not-me/${notMe}?t=${notMe}`.replace(`/${notMe}`, '/nothing')));
  const { text: metrics } = await scrape(stand.proxy.metricsPort);
  await stand.app.stop();
  await keep(browser.get(`/app?secret=${notMe}`));
  stand.app = { ...stand.app, stop: () => Promise.resolve() };
  await stand.stop();

  const shown = stand.log() + pages.join('\n') + metrics + stored;
  const secrets = [...used, ...stand.provider.secrets].filter((secret) => secret.length >= 16);
  expect(secrets.length).toBeGreaterThan(40);
  expect(pages.length).toBeGreaterThan(8);
  expect(stand.log()).toContain('"path":"/api/callback"');
  expect(stand.log()).toContain('logout token refused');
  expect(stand.log()).toContain('could not be refreshed');
  expect(metrics).toContain('vestibule_proxy_http_requests_total');
  for (const named of ['user-ada', 'sid-user-ada', stand.provider.issuer]) expect(stored).toContain(named);
  expect(secrets.filter((secret) => shown.includes(secret) || stored.includes(Buffer.from(secret).toString('hex')))).toEqual([]);
});

/** Bytes are written in hex. */
async function everyRow(of: Pick<Stand, 'database'>): Promise<string[]> {
  const tables = await asSuperuser<{ name: string }>(of, `select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema = 'proxy'`);
  const rows = await Promise.all(tables.map(({ name }) => asSuperuser<{ row: string }>(of, `select t::text as row from ${name} t`)));
  return rows.flat().map(({ row }) => row);
}
