import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { loadProducts, type Products } from '../../platform/products.ts';
import { CONTACT_URL, creationOf, NOW, openBridge, PROXY_URL, type TestBridge } from './support/bridge.ts';

const DAY = 86_400;
const FILE = `
products:
  - {id: app, name: First, start_url: /, trial_days: 14, clients: [first-client, both], origins: ['https://first.example'], app: {name: One}}
  - {id: lab, name: Second, start_url: 'https://lab.example.com/', trial_days: 7, clients: [second-client, both], origins: ['https://second.example'], app: {name: Two}}
`;

let bridge: TestBridge;
let address: string;
beforeAll(async () => {
  bridge = await openBridge({ products: productsIn(FILE), env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '1000', MAIL_LIMIT_SECONDS_BETWEEN: '0' } });
});
afterAll(() => bridge.close());
beforeEach(() => {
  bridge.clock.set(NOW);
  address = `ada.${randomUUID()}@example.com`;
});

function productsIn(yaml: string): Products {
  const folder = mkdtempSync(join(tmpdir(), 'products-'));
  writeFileSync(join(folder, 'products.yaml'), yaml);
  try {
    return loadProducts(join(folder, 'products.yaml'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function mailAfter(product: string, given: Record<string, unknown> = {}) {
  const answer = await bridge.send('/api/trial/register', { body: { username: address, product, ...given } });
  expect(answer.status).toBe(202);
  await bridge.settled();
  const mail = bridge.inbox.messages().find((message) => message.to === address);
  if (mail === undefined) throw new Error('no mail came');
  return mail;
}
const loginIn = (mail: { links: readonly string[] }) => new URL(mail.links.find((link) => link.startsWith(`${PROXY_URL}/api/login`)) ?? 'none:');
const invited = async (product: string) => loginIn(await mailAfter(product)).searchParams.get('invitation_token') ?? '';
const verify = async (token: string) => (await bridge.asStep('/api/trial/verify', { token })).body;
const infos = async (query: Record<string, string>) => (await bridge.asStep(`/api/trial/infos?${new URLSearchParams(query)}`)).body;

async function signUp(product: string, userId: string = randomUUID()): Promise<string> {
  const creation = creationOf(await bridge.invite({ address, product }), { username: address, user_id: userId });
  expect((await bridge.asStep('/api/trial/creation', creation)).status).toBe(200);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: userId, outcome: 'committed' });
  return userId;
}

describe('a mail leads to its product', () => {
  test.each([
    ['app', {}, null],
    ['lab', {}, 'https://lab.example.com/'],
    ['app', { next_page: '/start' }, '/start'],
    ['lab', { next_page: '/start' }, '/start'],
    ['app', { next_page: 'https://lab.example.com/' }, 'https://lab.example.com/'],
    ['lab', { next_page: '/' }, '/'],
  ])('an invitation to %s asked for with %j: next_page %s', async (product, given, expected) => {
    const link = loginIn(await mailAfter(product, given));
    expect([...link.searchParams.keys()]).toEqual(expected === null ? ['invitation_token', 'lang'] : ['invitation_token', 'next_page', 'lang']);
    expect(link.searchParams.get('next_page')).toBe(expected);
  });

  test.each([
    ['app', {}, 'First', '?lang=en'],
    ['lab', {}, 'Second', '?next_page=https%3A%2F%2Flab.example.com%2F&lang=en'],
    ['lab', { next_page: '/start' }, 'Second', '?next_page=%2Fstart&lang=en'],
  ])('welcome back to %s asked for with %j', async (product, given, name, query) => {
    bridge.accounts.add({ username: address });
    const mail = await mailAfter(product, given);
    expect(mail.subject).toBe(`Welcome back to ${name}`);
    expect(loginIn(mail).search).toBe(query);
    expect(mail.text).toContain(`${PROXY_URL}/api/login${query}`);
  });
});

describe('a trial of one product', () => {
  test('that is over leaves the mails of the other alone', async () => {
    const id = await signUp('lab');
    bridge.accounts.add({ id, username: address });
    bridge.clock.pass(7 * DAY);
    expect((await mailAfter('lab')).links).toContain(CONTACT_URL);
    expect((await mailAfter('app')).subject).toBe('Welcome back to First');
  });

  test('is what infos tell its own clients, for each its own length', async () => {
    const user_id = await signUp('lab');
    expect(await infos({ user_id, client_id: 'second-client' })).toMatchObject({ trial: true, trial_ends_at: NOW + 7 * DAY });
    expect(await infos({ user_id, client_id: 'first-client' })).toEqual({ trial: false, expired: false });
    await signUp('app', user_id);
    expect(await infos({ user_id, client_id: 'first-client' })).toMatchObject({ trial: true, trial_ends_at: NOW + 14 * DAY });
    expect(await infos({ user_id, client_id: 'second-client' })).toMatchObject({ trial: true, trial_ends_at: NOW + 7 * DAY });
  });

  test('is the longest of both for a client of both', async () => {
    const user_id = await signUp('lab');
    await signUp('app', user_id);
    bridge.clock.pass(7 * DAY);
    expect(await infos({ user_id, client_id: 'both' })).toMatchObject({ state: 'active', trial_ends_at: NOW + 14 * DAY });
    expect(await infos({ user_id, client_id: 'second-client' })).toMatchObject({ state: 'expired' });
  });

  test('is named by what a frame of its small app may do', async () => {
    const user_id = await signUp('lab');
    await signUp('app', user_id);
    const apps = await bridge.db.selectFrom('bridge.trial').innerJoin('bridge.trial_app as app', 'app.trial_id', 'bridge.trial.id').select(['product', 'app.id']).where('user_id', '=', user_id).orderBy('product').execute();
    const authorization = `Bearer ${await bridge.realm.serviceToken('vestibule-proxy', 'trial-read')}`;
    const standings = await Promise.all(apps.map(({ id }) => bridge.send('/api/trial/embed-standing', { body: { app: id }, headers: { authorization } })));
    expect(standings.map(({ body }) => body['product'])).toEqual(['app', 'lab']);
  });

  test('spends the siblings of its own invitation only', async () => {
    const [sibling, other] = [await invited('lab'), await invited('app')];
    await signUp('lab');
    expect(await verify(sibling)).toMatchObject({ valid: false, reason: 'spent', product: 'lab' });
    expect(await verify(other)).toMatchObject({ valid: true, username: address });
  });
});

describe('register from a browser (CORS)', () => {
  test.each([
    ['first', 'app', 'https://first.example'],
    ['second', 'lab', 'https://second.example'],
    ['first', 'lab', null],
    ['second', 'app', null],
    ['second', undefined, null],
  ])("gives the %s product's origin for product %s the permission %s", async (whose, product, permission) => {
    const answer = await bridge.send('/api/trial/register', { body: { username: address, product }, headers: { origin: `https://${whose}.example` } });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('access-control-allow-origin')).toBe(permission);
  });
});
