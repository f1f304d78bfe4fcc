import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { isPublic } from '../../../bridge/outbound/addresses.ts';
import { challengeFetch } from '../../../bridge/remote-billing/challenge-fetch.ts';
import { newAttempt, newPerson, newRealm, newServer, openBilling, randomAddress, registrationOf, TERMS, type Server, type TestBilling } from './support/billing.ts';

const ACCESS_TOKEN = 'an-access-token';
const PATH = `/api/v1/zulip-services/verify/${ACCESS_TOKEN}/`;

let billing: TestBilling;
let host: HttpServer;
let answer: RequestListener;
let asked: (string | undefined)[];
let server: Server;
const hosts: HttpServer[] = [];
beforeAll(async () => {
  billing = await openBilling();
});
beforeEach(async () => {
  asked = [];
  answer = (_req, res) => res.writeHead(404).end('{}');
  // Each at a port of its own: hostnames are counted.
  host = createServer((req, res) => {
    asked.push(req.url);
    answer(req, res);
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  hosts.push(host);
  server = await billing.server({ hostname: `127.0.0.1:${(host.address() as AddressInfo).port}` });
});
afterAll(async () => {
  for (const one of hosts) one.close();
  await billing.close();
});

const begin = async (hostname = server.hostname) => billing.remote('server/register/transfer', { form: { hostname } });
const secret = async (hostname = server.hostname) => String((await begin(hostname)).body['verification_secret']);
const verify = async (accessToken = ACCESS_TOKEN) => billing.remote('server/register/verify_challenge', { form: { hostname: server.hostname, access_token: accessToken } });
const verifyOf = async (hostname: string, from?: string) => (await billing.remote('server/register/verify_challenge', { form: { hostname, access_token: ACCESS_TOKEN }, ...(from && { from }) })).status;
const outcomes = async (count: number, send: () => Promise<number>) => Object.entries(Object.groupBy(await Promise.all(Array.from({ length: count }, send)), String)).map(([status, many]) => [Number(status), many?.length]);
const serving = (body: unknown, status = 200): RequestListener => (_req, res) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const status = (one: Server) => billing.remote('server/analytics/status', { as: one });

describe('a rebuilt server whose key is lost', () => {
  test('serves the secret and gets a new key; the old key is over', async () => {
    answer = serving({ result: 'success', msg: '', verification_secret: await secret() });
    const { body } = await verify();
    expect(body).toMatchObject({ result: 'success', zulip_org_id: server.id, zulip_org_key: expect.stringMatching(/^[A-Za-z0-9]{64}$/) });
    expect(asked).toEqual([PATH]);
    expect((await status(server)).status).toBe(401);
    expect((await status({ ...server, key: String(body['zulip_org_key']) })).status).toBe(200);
    const row = await billing.db.selectFrom('bridge.remote_server').select(['hostname_verified_at', 'key_generation']).where('id', '=', server.id).executeTakeFirst();
    expect(row).toEqual({ hostname_verified_at: billing.clock.now(), key_generation: 2 });
    expect((await billing.audit({ serverId: server.id })).at(-1)).toMatchObject({ act: 'server_transferred' });
  });

  test('keeps plan, people and invoices; its old links, tokens and sessions are over', async () => {
    const [realm, ada, bob] = [newRealm(), newPerson(), newPerson()];
    await billing.report(server, [realm]);
    const session_id = (await billing.signIn(server, realm, ada)).body['session_id'];
    const page = async (path: string, body: object) => (await billing.pages(path, body)).body;
    await page('plan/agree', { session_id, type: 'basic', period: 'month', seats: 10, when: 'now', total: 4_200 });
    const before = await page('account/read', { session_id });
    const token = await billing.access(server, realm, bob);
    await page('login/mail', { token, email: bob.email });
    const key = await billing.keyTo(bob.email);
    const proof = (await page('login/confirmation', { key }))['token'];
    const people = () => billing.db.selectFrom('bridge.billing_user').select(['id', 'email', 'state']).where('realm_id', '=', realm.uuid).orderBy('id').execute();
    const known = await people();

    answer = serving({ verification_secret: await secret() });
    const renewed = { ...server, key: String((await verify()).body['zulip_org_key']) };

    const over = { result: 'refused', reason: 'revoked' };
    const form = { attempt: newAttempt(), accepted_terms: TERMS };
    expect(await page('login/open', { token })).toMatchObject(over);
    expect(await page('login/confirmation', { key })).toMatchObject(over);
    expect(await page('login/open', { token: proof })).toMatchObject(over);
    expect(await page('login/complete', { token: proof, ...form })).toMatchObject(over);
    expect(await page('session/read', { session_id, kind: 'realm', uuid: realm.uuid })).toMatchObject({ result: 'over' });
    expect((await billing.billing(server, realm, ada)).status).toBe(401);

    expect(await people()).toEqual(known);
    const again = await page('login/complete', { ...form, token: await billing.access(renewed, realm, ada) });
    expect(again).toMatchObject({ result: 'signed_in', user: { email: ada.email }, next_page: 'billing' });
    const { plan, ledger, invoices } = await page('account/read', { session_id: again['session_id'] });
    expect({ plan, ledger, invoices }).toEqual({ plan: before['plan'], ledger: before['ledger'], invoices: before['invoices'] });
  });

  test.each<[string, () => Promise<RequestListener>, string]>([
    ['nothing', async () => serving({}), 'The verification secret is invalid or has expired'],
    ['another text', async () => serving({ verification_secret: 'x' }), 'The verification secret is invalid or has expired'],
    ['a number', async () => serving({ verification_secret: 1 }), 'The verification secret is invalid or has expired'],
    ['null', async () => serving(null), 'The verification secret is invalid or has expired'],
    ['the secret of another host', async () => serving({ verification_secret: await secret((await billing.server()).hostname) }), 'The verification secret is for a different hostname'],
    ['no secret yet', async () => serving({ code: 'REMOTE_SERVER_VERIFICATION_SECRET_NOT_PREPARED' }, 400), 'The host reported it has no verification secret.'],
    ['an error', async () => serving({}, 500), 'Error response received from the host: 500'],
    ['no JSON', async () => (_req, res) => res.end('hello'), 'The answer of the host is not JSON.'],
    ['a redirect', async () => (_req, res) => res.writeHead(302, { location: 'http://127.0.0.1/' }).end('{}'), 'Error response received from the host: 302'],
    ['a hung-up line', async () => (req) => req.socket.destroy(), 'Connection error occurred while communicating with the host.'],
    ['more than a little', async () => (_req, res) => res.end('"'.padEnd(100_000, 'x')), 'Connection error occurred while communicating with the host.'],
  ])('that serves %s gets none', async (_name, make, msg) => {
    answer = await make();
    expect((await verify()).body).toEqual({ result: 'error', msg, code: 'BAD_REQUEST' });
    expect((await billing.audit({ serverId: server.id })).at(-1)).toMatchObject({ act: 'refused', actor_kind: 'server', details: { reason: msg, hostname: server.hostname } });
    expect((await status(server)).status).toBe(200);
  });

  test('whose secret is a minute old gets none', async () => {
    answer = serving({ verification_secret: await secret() });
    const original = Date.now;
    const Original = Date;
    globalThis.Date = class extends Original {
      constructor(...given: unknown[]) {
        super(...((given.length === 0 ? [original() + 61_000] : given) as [number]));
      }
      static override now = () => original() + 61_000;
    } as DateConstructor;
    try {
      expect((await verify()).status).toBe(400);
    } finally {
      globalThis.Date = Original;
    }
  });

  test('of an unknown hostname is told so', async () => {
    expect((await begin(newServer().hostname)).body).toMatchObject({ code: 'BAD_REQUEST', msg: expect.stringContaining('not yet registered') });
  });

  test.each(['../../admin', 'a/b', 'a?b', ''])('can choose no other path by the access token %j', async (token) => {
    expect((await verify(token)).status).toBe(400);
    expect(asked).toEqual([]);
  });

  test('may try five times an hour', async () => {
    const answers = [];
    for (let count = 0; count < 6; count += 1) answers.push(await verify());
    expect(answers.map((one) => one.status)).toEqual([400, 400, 400, 400, 400, 429]);
    expect(asked).toHaveLength(5);
  });

  describe('is held up by nobody', () => {
    beforeEach(() => sql`delete from bridge.rate_limit where key like 'billing-challenge%'`.execute(billing.db));
    // Registered, and nobody listens there.
    const registered = async () => (await billing.server({ hostname: `127.0.0.1:${(nextPort += 1)}` })).hostname;
    let nextPort = 2;

    test('who names hosts that are not registered uses up nothing', async () => {
      expect(await outcomes(40, () => verifyOf(newServer().hostname))).toEqual([[400, 40]]);
      expect(await verifyOf(server.hostname)).toBe(400);
      expect(asked).toHaveLength(1);
    });

    test('one client has ten an hour, and the others theirs', async () => {
      const from = randomAddress();
      const hostnames = await Promise.all(Array.from({ length: 12 }, registered));
      expect(await outcomes(12, () => verifyOf(hostnames.pop()!, from))).toEqual([[400, 10], [429, 2]]);
      expect([await verifyOf(server.hostname, from), asked.length]).toEqual([429, 0]);
      expect([await verifyOf(server.hostname), asked.length]).toEqual([400, 1]);
    });

    test('30 an hour in all', async () => {
      const hostnames = await Promise.all(Array.from({ length: 31 }, registered));
      expect(await outcomes(31, () => verifyOf(hostnames.pop()!))).toEqual([[400, 30], [429, 1]]);
    });
  });

  test('is unverified again under another hostname', async () => {
    answer = serving({ verification_secret: await secret() });
    const key = String((await verify()).body['zulip_org_key']);
    await billing.remote('server/register', { form: registrationOf({ ...server, key, hostname: newServer().hostname }), from: randomAddress() });
    const row = await billing.db.selectFrom('bridge.remote_server').select('hostname_verified_at').where('id', '=', server.id).executeTakeFirst();
    expect(row).toEqual({ hostname_verified_at: null });
  });
});

describe('outside of tests', () => {
  test.each(['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '::1', '::', 'fe80::1', 'fc00::1', '::ffff:8.8.8.8', '2002:0a00:0001::1', '2001:db8::1', '64:ff9b::a00:1', 'ff02::1', 'localhost'])('%s is no public address', (address) => {
    expect(isPublic(address)).toBe(false);
  });

  test.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111'])('%s is one', (address) => {
    expect(isPublic(address)).toBe(true);
  });

  test.each(['127.0.0.1', '10.0.0.1:8443', 'localhost', 'localhost:5432', '2130706433', '0x7f.1', '127.1'])('%s is not dialled, by whatever name', async (hostname) => {
    await expect(challengeFetch({ loopback: false })(hostname, '/')).rejects.toThrow(/public address/);
  });
});
