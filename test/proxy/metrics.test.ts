import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { scrape, type Scrape } from '../support/exposition.ts';
import { startStand, type Stand } from './support/stand.ts';

const WITH_METRICS = { PROXY_METRICS_PORT: '0' };
const INVITATION = 'inVitation-'.padEnd(43, 'x');
const NOT_ME = 'not-Me-token-'.padEnd(43, 'y');

const logins = ({ samples }: Scrape) =>
  Object.fromEntries(samples.filter(({ name, value }) => name === 'vestibule_proxy_logins_total' && value > 0).map(({ labels, value }) => [labels['outcome'], value]));

describe('after people came and went', () => {
  let stand: Stand;
  let seen: Scrape;
  const secrets = new Set<string>([INVITATION, NOT_ME]);

  beforeAll(async () => {
    stand = await startStand({ env: WITH_METRICS });
    const browser = stand.browser();
    await browser.get('/page');
    await browser.follow(await browser.get(`/api/login?invitation_token=${INVITATION}&next_page=/x`));
    await browser.get(`/page/${NOT_ME}`);
    for (const value of browser.cookies.values()) secrets.add(value);
    await browser.get(`/trial/not-me?t=${NOT_ME}`);
    await browser.post('/trial/not-me', { t: NOT_ME });
    await browser.post('/trial', { email: 'ada@example.com' });
    await browser.send('/api/trial/register', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"username":"ada@example.com"}' });
    await browser.get(`/api/${INVITATION}`);
    stand.provider.misbehave = { redirect: (query) => query.set('error', 'access_denied') };
    const cancelling = stand.browser();
    await cancelling.follow(await cancelling.get('/api/login'));
    await stand.browser().get(`/api/callback?code=${INVITATION}&state=${INVITATION}`);
    stand.provider.misbehave = {};
    for (const secret of stand.provider.secrets) secrets.add(secret);
    seen = await scrape(stand.proxy.metricsPort);
  });
  afterAll(() => stand.stop());

  test('sign-ins are counted by how they ended', () => {
    expect(logins(seen)).toEqual({ started: 2, signed_in: 1, refused: 1, stale: 1 });
  });

  test('requests are counted by kind, with route patterns where they are ours', () => {
    expect(seen.sum('vestibule_proxy_http_requests_total', { kind: 'app', route: 'none', status: '302' })).toBe(1);
    // Where the sign-in led, and the page after it.
    expect(seen.sum('vestibule_proxy_http_requests_total', { kind: 'app', route: 'none', status: '200' })).toBe(2);
    expect(seen.sum('vestibule_proxy_http_requests_total', { kind: 'page', route: '/trial/not-me' })).toBe(2);
    expect(seen.sum('vestibule_proxy_http_requests_total', { kind: 'page', route: 'none', status: '404' })).toBe(1);
    expect(seen.sum('vestibule_proxy_http_requests_total', { kind: 'forwarded', status: '202' })).toBe(1);
  });

  test('sign-ups handed on are counted by way', () => {
    expect(seen.sum('vestibule_proxy_registers_total', { way: 'form', outcome: 'accepted' })).toBe(1);
    expect(seen.sum('vestibule_proxy_registers_total', { way: 'api', outcome: 'accepted' })).toBe(1);
  });

  test('the app’s answers are timed', () => {
    expect(seen.sum('vestibule_proxy_upstream_duration_seconds_count', { outcome: 'answered' })).toBe(2);
  });

  test('SECURITY 14: no label carries an address, a token or an id', () => {
    const wanted = [...secrets, stand.provider.person.sub, stand.provider.person.email, 'ada@'].filter((secret) => secret.length >= 4);
    expect(wanted.length).toBeGreaterThan(8);
    expect(wanted.filter((secret) => seen.text.includes(secret))).toEqual([]);
    expect(seen.samples.flatMap(({ labels }) => Object.values(labels)).filter((value) => /@|[0-9a-f]{8}-|[\w-]{40}/.test(value))).toEqual([]);
  });
});

describe('what an operator looks at', () => {
  let stand: Stand;
  beforeAll(async () => {
    stand = await startStand({ env: { ...WITH_METRICS, SESSION_IDLE_MINUTES: '30' } });
  });
  afterAll(() => stand.stop());

  test('sessions: live ones, not those that rested too long', async () => {
    expect((await scrape(stand.proxy.metricsPort)).sum('vestibule_proxy_sessions')).toBe(0);
    await stand.signedIn();
    await stand.signedIn();
    expect((await scrape(stand.proxy.metricsPort)).sum('vestibule_proxy_sessions')).toBe(2);
    stand.clock.setOffset(31 * 60);
    expect((await scrape(stand.proxy.metricsPort)).sum('vestibule_proxy_sessions')).toBe(0);
    stand.clock.setOffset(0);
  });

  test('the app and the bridge are away', async () => {
    const browser = await stand.signedIn();
    await Promise.all([stand.app.stop(), stand.bridge.stop()]);
    stand.app = { ...stand.app, stop: () => Promise.resolve() };
    stand.bridge = { ...stand.bridge, stop: () => Promise.resolve() };
    await browser.get('/page');
    await browser.post('/trial', { email: 'ada@example.com' });
    const seen = await scrape(stand.proxy.metricsPort);
    expect(seen.sum('vestibule_proxy_upstream_duration_seconds_count', { outcome: 'bad_gateway' })).toBe(1);
    expect(seen.sum('vestibule_proxy_http_requests_total', { kind: 'app', status: '502' })).toBe(1);
    expect(seen.sum('vestibule_proxy_registers_total', { way: 'form', outcome: 'unavailable' })).toBe(1);
    expect(seen.sum('vestibule_proxy_dependency_up', { dependency: 'bridge' })).toBe(0);
    expect(seen.sum('vestibule_proxy_dependency_up', { dependency: 'postgres' })).toBe(1);
  });
});

test('nothing is served without a port, and nothing at the public one', async () => {
  const stand = await startStand();
  try {
    expect(stand.proxy.metricsPort).toBeUndefined();
    expect((await stand.browser().send('/metrics')).status).not.toBe(200);
  } finally {
    await stand.stop();
  }
});
