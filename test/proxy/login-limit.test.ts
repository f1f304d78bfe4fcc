import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { send, type Browser } from './support/browser.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';
import { asSuperuser } from './support/superuser.ts';

const PER_CLIENT = 8;
const COUNTED_SECONDS = 600;
const MOST_LOGINS = 100_000;
const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'accept-language': 'en' };

let stand: Stand;
let other: Replica;
beforeAll(async () => {
  stand = await startStand({ env: { LOGIN_LIMIT_PER_CLIENT: String(PER_CLIENT), TRUSTED_PROXIES: '127.0.0.1' } });
  other = await stand.replica();
});
afterAll(async () => {
  await other.proxy.stop();
  await stand.stop();
});
afterEach(() => stand.clock.setOffset(0));

/** A sign-in that is begun by what keeps no cookies. */
const begin = (address: string, at: Pick<Replica, 'url'> = stand, headers: Record<string, string> = NAVIGATION) => send(at.url, { headers: { ...headers, 'x-forwarded-for': address } }, '/api/login');

async function beginMany(address: string, times = PER_CLIENT): Promise<number[]> {
  const statuses: number[] = [];
  for (let time = 0; time < times; time += 1) statuses.push((await begin(address, time % 2 === 0 ? stand : other)).status);
  return statuses;
}

async function countLogins(): Promise<number> {
  const [row] = await asSuperuser<{ count: number }>(stand, 'select count(*)::int as count from proxy.login_transaction');
  return row?.count ?? 0;
}

/** As a browser at that address does it: with its cookies, over the provider and back. */
async function signIn(browser: Browser, address: string): Promise<number> {
  const start = await browser.get('/api/login', { 'x-forwarded-for': address });
  const callback = new URL(String((await send(String(start.location))).location));
  return (await browser.get(callback.pathname + callback.search)).status;
}

test('a client that begins sign-ins without end is refused with the wait, on every replica, and its rows grow no more', async () => {
  expect(await beginMany('192.0.2.1')).toEqual(Array(PER_CLIENT).fill(302));
  const before = await countLogins();
  for (const replica of [stand, other]) {
    const page = await begin('192.0.2.1', replica);
    expect([page.status, page.body.includes('That was a lot of requests. Try again in 10 minutes.')]).toEqual([429, true]);
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(COUNTED_SECONDS - 30);
    expect(page.headers.getSetCookie().filter((line) => line.includes('login'))).toEqual([]);
  }
  const program = await begin('192.0.2.1', stand, { accept: 'application/json' });
  expect([program.status, program.json()['code'], program.headers.has('retry-after')]).toEqual([429, 'rate_limited', true]);
  expect(await countLogins()).toBe(before);
});

test('nobody else is, and it is let in again when the wait is over', async () => {
  await beginMany('192.0.2.2', PER_CLIENT + 1);
  expect((await begin('192.0.2.3')).status).toBe(302);
  const wait = Number((await begin('192.0.2.2')).headers.get('retry-after'));
  stand.clock.setOffset(wait - 3);
  expect((await begin('192.0.2.2')).status).toBe(429);
  stand.clock.setOffset(wait);
  expect((await begin('192.0.2.2')).status).toBe(302);
});

test('an office behind one address is not, as long as its people finish', async () => {
  for (let person = 0; person < 2 * PER_CLIENT; person += 1) expect(await signIn(stand.browser(), '192.0.2.4')).toBe(303);
});

test('nor is a browser that begins again and again: its five are all it has', async () => {
  const browser = stand.browser();
  const before = await countLogins();
  for (let tab = 0; tab < 3 * PER_CLIENT; tab += 1) expect((await browser.get('/api/login', { 'x-forwarded-for': '192.0.2.5' })).status).toBe(302);
  expect(await countLogins()).toBe(before + 5);
  // Others at its address are many by now; it goes on.
  await beginMany('192.0.2.5', PER_CLIENT - 5);
  expect((await begin('192.0.2.5')).status).toBe(429);
  expect((await browser.get('/api/login', { 'x-forwarded-for': '192.0.2.5' })).status).toBe(302);
});

test('whoever has a /64 of IPv6 is one client (SECURITY 11)', async () => {
  for (let host = 1; host <= PER_CLIENT; host += 1) expect((await begin(`2001:db8:0:1::${host}`)).status).toBe(302);
  expect([(await begin('2001:db8:0:1:ffff::1')).status, (await begin('2001:db8:0:2::1')).status]).toEqual([429, 302]);
});

test('addresses are not readable in the table', async () => {
  await begin('192.0.2.6');
  const rows = await asSuperuser<{ row: string }>(stand, `select t::text || encode(coalesce(begun_by, ''), 'escape') as row from proxy.login_transaction t`);
  expect(rows.filter(({ row }) => row.includes('192.0.2'))).toEqual([]);
});

test('in all there are so many at most; the oldest give way, never who begins one now', async () => {
  const rows = `select sha256(n::text::bytea), 'id-' || n, '', '', false, now() - interval '1 hour', now() + interval '23 hours' - n * interval '1 ms' from generate_series(1, ${MOST_LOGINS + 5}) n`;
  await asSuperuser(stand, `insert into proxy.login_transaction (state_hash, id, binding_hash, sealed, has_invitation, created_at, expires_at) ${rows}`);
  const browser = stand.browser();
  const start = await browser.get('/api/login', { 'x-forwarded-for': '192.0.2.7' });
  await stand.proxy.sweep();
  expect(await countLogins()).toBe(MOST_LOGINS);
  const callback = new URL(String((await send(String(start.location))).location));
  expect((await browser.get(callback.pathname + callback.search)).status).toBe(303);
  await asSuperuser(stand, `delete from proxy.login_transaction where id like 'id-%'`);
});
