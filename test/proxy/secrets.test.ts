import { expect, test } from '@jest/globals';
import { startStand } from './support/stand.ts';

/** SECURITY 14: no token, cookie, code or signed link reaches a log or an error page. */
test('whatever happens, no secret is logged or shown', async () => {
  const stand = await startStand({ env: { INVITATION_BY_PAR: 'false' } });
  const browser = stand.browser();
  const invitation = 'inVitation-'.padEnd(43, 'x');
  const notMe = 'not-Me-token-'.padEnd(43, 'y');
  const pages: string[] = [];
  const used = new Set<string>([invitation, notMe]);
  const keep = async (reply: Promise<{ body: string; status: number }>): Promise<void> => {
    for (const value of browser.cookies.values()) if (value.length > 20) used.add(value);
    const { body, status } = await reply;
    if (status >= 400) pages.push(body);
  };
  const whole = async (path: string): Promise<void> => keep(browser.follow(await browser.get(path)));

  await whole(`/api/login?invitation_token=${invitation}&next_page=/x`);
  await whole('/page');
  await keep(browser.post('/trial', { email: 'ada@example.com' }));
  await keep(browser.get(`/trial/not-me?t=${notMe}`));
  await keep(browser.post('/trial/not-me', { t: notMe }));
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
  await stand.app.stop();
  await keep(browser.get(`/app?secret=${notMe}`));
  stand.app = { ...stand.app, stop: () => Promise.resolve() };
  await stand.stop();

  const shown = stand.log() + pages.join('\n');
  const secrets = [...used, ...stand.provider.secrets].filter((secret) => secret.length >= 16);
  expect(secrets.length).toBeGreaterThan(40);
  expect(pages.length).toBeGreaterThan(8);
  expect(stand.log()).toContain('"path":"/api/callback"');
  expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
});
