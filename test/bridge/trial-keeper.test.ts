import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readCalls } from '../../bridge/keycloak/breaker.ts';
import { trialKeeper, type TrialKeeper } from '../../bridge/keycloak/trial-keeper.ts';
import { messagesIn, readMessage, RELEASES } from './support/contract.ts';

const REQUEST_ID = 'golden-0001';

interface Golden {
  request: { method: string; path: string; body: { product: string; entry: string; version: number; roles: { grant: string[]; revoke: string[] }; username: string } };
  response: { status: number; body: unknown };
}

/** The jar's side of the same files: KeeperMessagesTest. */
const golden = (name: string, release?: string) => readMessage<Golden>(`${release === undefined ? '' : `${release}/`}keeper/${name}.json`);
const userIn = ({ request }: Golden) => request.path.split('/')[5] ?? '';
const keepStamp = (message: Golden, keep: TrialKeeper) => keep.keepStamp(userIn(message), message.request.body, REQUEST_ID);
const beginStamp = (message: Golden, keep: TrialKeeper) => keep.beginStamp(userIn(message), message.request.body, REQUEST_ID);
const endSessions = (message: Golden, keep: TrialKeeper) => keep.endSessions(userIn(message), message.request.body.product, REQUEST_ID);
const remove = (message: Golden, keep: TrialKeeper) => keep.remove(userIn(message), message.request.body.product, REQUEST_ID);

let server: Server;
let answer: { status: number; body: unknown };
let asked: unknown;
let url: string;
let keep: TrialKeeper;

beforeEach(async () => {
  server = createServer(async (req, res) => {
    const { authorization, 'x-request-id': requestId } = req.headers;
    const body = await text(req);
    asked = { method: req.method, path: req.url, authorization, requestId, ...(body !== '' && { body: JSON.parse(body) as unknown }) };
    res.writeHead(answer.status, { 'content-type': 'application/json' }).end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  keep = trialKeeper({ internalUrl: url, realm: 'vestibule' }, async () => 'its-token');
});
afterEach(() => void server.close());

const MESSAGES = [
  ['begin-stamp-held', beginStamp, 'held'],
  ['begin-stamp-unknown-user', beginStamp, 'unknown_user'],
  ['begin-stamp-other-trial', beginStamp, 'other_trial'],
  ['begin-stamp-not-eligible', beginStamp, 'not_eligible'],
  ['keep-stamp-held', keepStamp, 'held'],
  ['keep-stamp-converted', keepStamp, 'held'],
  ['keep-stamp-newer', keepStamp, 'newer'],
  ['keep-stamp-unknown-user', keepStamp, 'unknown_user'],
  ['keep-stamp-not-managed', keepStamp, 'not_managed'],
  ['end-sessions', endSessions, 2],
  ['remove-removed', remove, 'removed'],
  ['remove-kept-account', remove, 'kept_account'],
] as const;

test.each(MESSAGES)('%s', async (name, call, expected) => {
  const message = golden(name);
  answer = message.response;
  expect(await call(message, keep)).toBe(expected);
  const { method, path, body } = message.request;
  expect(asked).toEqual({ method, path, body, authorization: 'Bearer its-token', requestId: REQUEST_ID });
});

/** The jar reads what it knows of a request: an older one may be sent more, never less. */
test.each(RELEASES.flatMap((release) => MESSAGES.filter(([name]) => messagesIn(`${release}/keeper`).includes(`${release}/keeper/${name}.json`)).map((message) => [release, ...message] as const)))(
  'as of release %s: %s',
  async (release, name, call, expected) => {
    const { request, response } = golden(name, release);
    answer = response;
    expect(await call(golden(name), keep)).toBe(expected);
    expect(asked).toMatchObject({ method: request.method, path: request.path, body: request.body });
  },
);

describe.each([undefined, ...RELEASES])('what a node tells of its calls to us (release: %s)', (release) => {
  test.each([
    ['health-closed', 'made'],
    ['health-open', 'left_out'],
  ])('%s', async (name, calls) => {
    const { request, response } = golden(name, release);
    answer = response;
    expect(await readCalls(url, 'vestibule', 5_000)).toBe(calls);
    expect(asked).toEqual({ method: request.method, path: request.path });
  });
});

test.each([
  ['keep-stamp-unknown-user', endSessions, 0],
  ['keep-stamp-not-managed', endSessions, 0],
  ['keep-stamp-unknown-user', remove, 'unknown_user'],
  ['keep-stamp-not-managed', remove, 'kept_account'],
] as const)('of somebody who is not on trial (%s) there is nothing to end or take', async (name, call, expected) => {
  const message = golden(name);
  answer = message.response;
  expect(await call(message, keep)).toBe(expected);
});

test.each([
  ['a role that is not allowed', golden('keep-stamp-role-not-allowed').response, 'unavailable', 'role_not_allowed'],
  ['what the jar says of nobody who is on trial', golden('begin-stamp-other-trial').response, 'unavailable', 'other_trial'],
  ['a jar without the endpoint', { status: 404, body: { error: 'HTTP 404 Not Found' } }, 'unavailable', 'npm run doctor'],
  ['a token that is refused', { status: 403, body: { code: 'forbidden', detail: 'This needs …' } }, 'unavailable', 'forbidden'],
  ['a fault of Keycloak', { status: 500, body: 'oops' }, 'bad_gateway', 'Send the same request again'],
  ['an answer that is none', { status: 200, body: 'oops' }, 'unavailable', '200 without a code'],
])('%s is an error that says what to do', async (_, given, code, see) => {
  answer = given;
  await expect(keepStamp(golden('keep-stamp-held'), keep)).rejects.toMatchObject({ code, message: expect.stringContaining(see) });
});

test('a Keycloak that can’t be reached is one too', async () => {
  server.close();
  await once(server, 'close');
  await expect(remove(golden('remove-removed'), keep)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('can\'t be reached') });
});

test('every message of the contract is held here', () => {
  const held = new Set<string>([...MESSAGES.map(([name]) => name), 'keep-stamp-role-not-allowed', 'health-closed', 'health-open']);
  expect(messagesIn('keeper').map((path) => basename(path, '.json')).filter((name) => !held.has(name))).toEqual([]);
});
