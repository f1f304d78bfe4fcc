import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bridgeEnvironment, environmentOf } from '../../support/doctor.ts';
import { keycloakAdmin, masterToken } from '../../support/keycloak-admin.ts';
import type { Person } from '../../support/person.ts';
import { openProgram } from '../../support/program.ts';
import { stack } from '../../support/stack.ts';
import { asBridge, entryOf, personWith, removePeople, stampsOf } from '../support/keeper.ts';
import { copyRealm } from '../support/realm-copy.ts';
import { serviceAccount } from '../support/breaking.ts';

/** SECURITY.md 15: the jar's endpoint opens to the bridge's own token, and to nothing else that a realm makes. */
const CLIENT = 'callers-of-the-keeper';
const KEEPER = 'vestibule-trials';
const COPY = 'callers';
const admin = keycloakAdmin();
const undo: (() => Promise<unknown> | void)[] = [];
const tokens: Record<string, string | undefined> = {};
let target: Person;

const post = async (realm: string, parameters: Record<string, string>): Promise<Record<string, string>> =>
  (await fetch(`${stack().keycloak}/realms/${realm}/protocol/openid-connect/token`, { method: 'POST', body: new URLSearchParams(parameters) })).json() as Promise<Record<string, string>>;
const clientCredentials = async (client_id: string, client_secret: string, realm = stack().realm) => (await post(realm, { client_id, client_secret, grant_type: 'client_credentials' }))['access_token'];

beforeAll(async () => {
  target = await personWith([entryOf('app', ['vestibule-proxy'], 3600)]);
  const receiver = await receiverOfLogouts();
  undo.push(receiver.stop);
  const id = await admin.create('/clients', {
    clientId: CLIENT,
    publicClient: true,
    directAccessGrantsEnabled: true,
    standardFlowEnabled: false,
    fullScopeAllowed: true,
    attributes: { 'backchannel.logout.url': receiver.url, 'backchannel.logout.session.required': 'true' },
  });
  undo.push(() => admin.delete(`/clients/${id}`));
  const [keeper] = await admin.get(`/clients?clientId=${KEEPER}`);
  const roles = await admin.get(`/clients/${keeper.id}/roles`);
  const person = await personWith([]);
  await admin.post(`/users/${person.id}/role-mappings/clients/${keeper.id}`, roles);
  const { access_token, id_token, refresh_token } = await post(stack().realm, { client_id: CLIENT, grant_type: 'password', scope: 'openid', username: person.username, password: person.password });
  const program = await openProgram();
  undo.push(program.remove);
  const [{ id: programId }] = await admin.get(`/clients?clientId=${program.clientId}`);
  const account = await admin.get(`/clients/${programId}/service-account-user`);
  await admin.post(`/users/${account.id}/role-mappings/clients/${keeper.id}`, roles);
  await admin.post(`/clients/${programId}/scope-mappings/clients/${keeper.id}`, roles);
  const copy = await copyRealm(COPY);
  undo.push(copy.remove);
  await admin.post(`/users/${person.id}/logout`);
  Object.assign(tokens, {
    'a person’s access token, with the role and the audience': access_token,
    'a person’s ID token': id_token,
    'a person’s refresh token': refresh_token,
    'a logout token': await receiver.token,
    'the proxy’s token': await clientCredentials('vestibule-proxy', environmentOf('proxy')['PROXY_CLIENT_SECRET']!),
    'another program’s token, with the role and the audience': await clientCredentials(program.clientId, program.clientId),
    'the token of the bridge of another realm': await clientCredentials('vestibule-bridge', bridgeEnvironment()['BRIDGE_CLIENT_SECRET']!, COPY),
    'an admin’s token': await masterToken(),
    'the bridge’s token, with another signature': (await asBridge()()).replace(/[^.]{20}$/, 'A'.repeat(20)),
    'no JSON web token': 'x.y.z',
    nothing: undefined,
  });
});
afterAll(async () => {
  for (const one of undo.toReversed()) await one();
  await removePeople();
});

async function receiverOfLogouts() {
  let receive: (token: string) => void;
  const token = new Promise<string>((resolve) => (receive = resolve));
  const server = createServer(async (req, res) => {
    receive(new URLSearchParams(await text(req)).get('logout_token') ?? '');
    res.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token, stop: () => void server.close() };
}

const DOORS: readonly (readonly [string, string, object])[] = [
  ['PUT', '/stamp', { product: 'app', entry: JSON.stringify(entryOf('app', ['vestibule-proxy'], 1)), version: 99, roles: { grant: [], revoke: [] } }],
  ['POST', '/sessions/end', { product: 'app' }],
  ['DELETE', '', { product: 'app' }],
  ['POST', '/stamp', { product: 'app', entry: JSON.stringify(entryOf('app', ['vestibule-proxy'], 1)), version: 99, username: 'ada@example.com', roles: { grant: [], revoke: [] } }],
];

async function knock([method, path, body]: (typeof DOORS)[number], token: string | undefined) {
  const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/${KEEPER}/users/${target.id}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  return { status: answer.status, type: answer.headers.get('content-type'), code: ((await answer.json()) as { code?: string }).code };
}

const NAMES = [
  'a person’s access token, with the role and the audience',
  'a person’s ID token',
  'a person’s refresh token',
  'a logout token',
  'the proxy’s token',
  'another program’s token, with the role and the audience',
  'the token of the bridge of another realm',
  'an admin’s token',
  'the bridge’s token, with another signature',
  'no JSON web token',
  'nothing',
];

test('each of them was made', () => {
  expect(NAMES.filter((name) => name !== 'nothing' && !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(tokens[name] ?? ''))).toEqual([]);
});

describe.each(DOORS)('SECURITY 15: %s users/{id}%s', (...door) => {
  test.each(NAMES)('refuses %s', async (name) => {
    const before = await stampsOf(target);
    const { status, type, code } = await knock(door, tokens[name]);
    expect([401, 403]).toContain(status);
    expect([type, code]).toEqual([expect.stringContaining('application/problem+json'), status === 401 ? 'unauthorized' : 'forbidden']);
    expect(await stampsOf(target)).toEqual(before);
  });
});

test('SECURITY 15: a role that was taken from the bridge is taken at once, whatever its token says', async () => {
  const token = await asBridge()();
  const giveBack = await serviceAccount('vestibule-bridge', { client: KEEPER, role: 'keep-trials' }, 'take')(admin);
  expect(await knock(DOORS[1]!, token).finally(giveBack)).toMatchObject({ status: 403, code: 'forbidden' });
  expect(await knock(DOORS[1]!, token)).toMatchObject({ status: 200 });
});

const send = async ([method, path]: (typeof DOORS)[number], body: string, { id = target.id, type = 'application/json' } = {}) => {
  const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/${KEEPER}/users/${id}${path}`, {
    method,
    headers: { 'content-type': type, authorization: `Bearer ${await asBridge()()}`, 'x-request-id': 'asked-0001' },
    body,
  });
  return { status: answer.status, problem: (await answer.json()) as Record<string, unknown> };
};

describe.each(DOORS)('%s users/{id}%s', (...door) => {
  const [, , valid] = door;

  test.each<[string, string, number, string]>([
    ['no JSON', 'x', 400, 'invalid_request'],
    ['nothing', '', 400, 'invalid_request'],
    ['JSON that ends early', '{"product":"app"', 400, 'invalid_request'],
    ['a list', '[]', 400, 'invalid_request'],
    ['null', 'null', 400, 'invalid_request'],
    ['a text', '"app"', 400, 'invalid_request'],
    ['a body nested two thousand times', `{"product":${'['.repeat(2000)}${']'.repeat(2000)}}`, 400, 'invalid_request'],
    ['a body without a product', JSON.stringify({ ...valid, product: undefined }), 400, 'invalid_request'],
    ['a product that is a number', JSON.stringify({ ...valid, product: 42 }), 400, 'invalid_request'],
    ['a product that is a list', JSON.stringify({ ...valid, product: ['app'] }), 400, 'invalid_request'],
    ['1 MiB', JSON.stringify({ ...valid, product: 'x'.repeat(1024 * 1024) }), 413, 'payload_too_large'],
    ['1 MiB of spaces', JSON.stringify(valid) + ' '.repeat(1024 * 1024), 413, 'payload_too_large'],
  ])('refuses %s', async (_name, body, status, code) => {
    expect(await send(door, body)).toMatchObject({ status, problem: { code, status, type: `urn:vestibule:problem:${code}`, request_id: 'asked-0001' } });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])('refuses the type %s', async (type) => {
    expect(await send(door, JSON.stringify(valid), { type })).toMatchObject({ status: 415 });
  });

  test.each(['x', '00000000-0000-4000-8000-000000000000', '%27%20or%201=1', '%00'])('knows nobody with the id %s', async (id) => {
    expect([400, 404]).toContain((await send(door, JSON.stringify(valid), { id })).status);
  });
});

test('a field that a newer bridge may send is left out of account', async () => {
  expect(await send(DOORS[1]!, JSON.stringify({ product: 'app', reason: 'x' }))).toMatchObject({ status: 200, problem: { ended: 0 } });
});
