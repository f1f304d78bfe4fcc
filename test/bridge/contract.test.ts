import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { SPOKEN_CONTRACTS } from '../../bridge/keycloak/nodes.ts';
import { loadProducts, type Product } from '../../platform/products.ts';
import { NOW, openBridge, type TestBridge } from './support/bridge.ts';
import { messagesIn, readMessage, RELEASES, textOf } from './support/contract.ts';

interface Golden {
  about: string;
  now: number;
  request: { method: string; path: string; headers: Record<string, string>; body?: Record<string, unknown> };
  response: { status: number; body: unknown };
}

const POM = readFileSync('keycloak/pom.xml', 'utf8');
const CONTRACT_OF_JAR = /<vestibule.contract>(.*)</.exec(POM)?.[1] ?? '';
const TOKEN = 'bGV0LW1lLWluLXBsZWFzZS0wMDAwMDAwMDAwMDAwMDA';
const [APP] = loadProducts('products.yaml');
const ASKING: Product = {
  ...APP,
  id: 'lab',
  attributes: [
    { id: 'team', label: 'Team', required: true, max_length: 40 },
    { id: 'role', label: { en: 'Role', fr: 'Fonction' }, required: false, max_length: 40 },
  ],
  consents: [{ id: 'terms', label: 'I accept the terms', version: '2', required: true, url: 'https://example.com/terms' }],
};
const CREATION = golden('creation-reserved.json').request.body;

const invited = async (bridge: TestBridge) => void (await bridge.invite({ token: TOKEN }));
const created = async (bridge: TestBridge) => {
  await invited(bridge);
  expect((await bridge.asStep('/api/trial/creation', CREATION)).status).toBe(200);
};
/** To the product that asks, with a team given at sign-up. */
const invitedWithTeam = async (bridge: TestBridge) => {
  const shared = { product: 'lab', address: 'ada@example.com', locale: 'en' };
  const { id: sign_up_request_id } = await bridge.db.insertInto('bridge.sign_up_request').values({ ...shared, address_hash: Buffer.alloc(1), attributes: '{"team":"Engines"}', consents: '[]', request_id: 'r', requested_at: new Date(NOW * 1000) }).returning('id').executeTakeFirstOrThrow();
  const { id: mailId } = await bridge.db.insertInto('bridge.mail').values({ ...shared, sign_up_request_id, kind: 'invitation', mailbox_hash: Buffer.alloc(1), queued_at: new Date(NOW * 1000) }).returning('id').executeTakeFirstOrThrow();
  await bridge.invite({ token: TOKEN, product: 'lab', mailId });
};
const inState = (state: 'revoked' | 'spent') => async (bridge: TestBridge) => {
  await invited(bridge);
  await bridge.db.updateTable('bridge.invitation').set({ state }).execute();
};
const expired = async (bridge: TestBridge) => void (await bridge.invite({ token: TOKEN, expiresAt: new Date(NOW * 1000) }));

/** What has happened before each message. */
const BEFORE: Record<string, (bridge: TestBridge) => Promise<void>> = {
  'creation-answered.json': invitedWithTeam,
  'creation-expired.json': expired,
  'creation-reserved.json': invited,
  'creation-revoked.json': inState('revoked'),
  'creation-spent.json': inState('spent'),
  'creation-unanswered.json': invitedWithTeam,
  'creation-unknown.json': async () => {},
  'creation-username-mismatch.json': invited,
  'infos-active.json': created,
  'infos-expired.json': created,
  'infos-grace.json': created,
  'infos-none.json': created,
  'outcome-committed.json': created,
  'outcome-rolled-back.json': created,
  'verify-asking.json': invitedWithTeam,
  'outcomes.json': created,
  'verify-expired.json': expired,
  'verify-provider.json': invited,
  'verify-provider-other.json': invited,
  'verify-revoked.json': inState('revoked'),
  'verify-spent.json': inState('spent'),
  'verify-unknown.json': async () => {},
  'verify-valid.json': invited,
};

describe('the messages between Keycloak and bridge', () => {
  let bridge: TestBridge;
  beforeAll(async () => {
    bridge = await openBridge({ products: [APP, ASKING], newAppId: () => 'c0ffee00-1111-4222-8333-444455556666' });
  });
  afterAll(() => bridge.close());
  beforeEach(async () => {
    bridge.clock.set(NOW);
    for (const table of ['bridge.trial', 'bridge.registration', 'bridge.invitation'] as const) await bridge.db.deleteFrom(table).execute();
  });

  const answerTo = async (path: string) => {
    const { now, request, response } = golden(path);
    const before = BEFORE[basename(path)];
    expect(before).toBeDefined();
    await before?.(bridge);
    bridge.clock.set(now);
    const authorization = `Bearer ${await bridge.realm.stepToken()}`;
    const answer = await bridge.send(request.path, { method: request.method, body: request.body, headers: { ...request.headers, authorization } });
    expect(answer.headers.get('x-request-id')).toBe('golden-0001');
    return { answer: { status: answer.status, body: answer.body }, response };
  };

  test.each(messagesIn('.'))('%s', async (path) => {
    const { answer, response } = await answerTo(path);
    expect(answer).toEqual(response);
  });

  /** The jar reads what it knows of an answer: to an older one the bridge may say more, never less. */
  test.each(RELEASES.flatMap(messagesIn))('as of release %s', async (path) => {
    const { answer, response } = await answerTo(path);
    expect(answer).toMatchObject(response);
  });
});

test('the messages of a release are kept, and the bridge names each that it speaks', () => {
  expect(RELEASES).not.toEqual([]);
  expect(SPOKEN_CONTRACTS).toEqual(RELEASES);
});

test('the jar is of the version that the package has, and of a contract that the bridge speaks', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(POM).toContain(`<artifactId>vestibule-keycloak</artifactId>\n  <version>${version}</version>`);
  expect(SPOKEN_CONTRACTS).toContain(CONTRACT_OF_JAR);
});

/** One that differs is the next release's: copy test/contract to a folder for it, and name that in keycloak/pom.xml and in SPOKEN_CONTRACTS. */
test('the contract that the jar names has every message, in both directions, as it is now', () => {
  const now = ['.', 'keeper'].flatMap(messagesIn);
  const kept = [CONTRACT_OF_JAR, `${CONTRACT_OF_JAR}/keeper`].flatMap(messagesIn);
  expect(kept).toEqual(now.map((path) => `${CONTRACT_OF_JAR}/${path}`));
  expect(now.filter((path) => textOf(path) !== textOf(`${CONTRACT_OF_JAR}/${path}`))).toEqual([]);
});

function golden(path: string): Golden {
  return readMessage<Golden>(path);
}
