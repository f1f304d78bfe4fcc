import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { NOW, openBridge, type TestBridge } from './support/bridge.ts';

interface Golden {
  about: string;
  now: number;
  request: { method: string; path: string; headers: Record<string, string>; body?: Record<string, string> };
  response: { status: number; body: unknown };
}

const FOLDER = join(import.meta.dirname, '..', 'contract');
const TOKEN = 'bGV0LW1lLWluLXBsZWFzZS0wMDAwMDAwMDAwMDAwMDA';
const CREATION = golden('creation-reserved.json').request.body;

const invited = async (bridge: TestBridge) => void (await bridge.invite({ token: TOKEN }));
const created = async (bridge: TestBridge) => {
  await invited(bridge);
  expect((await bridge.asStep('/api/trial/creation', CREATION)).status).toBe(200);
};
const inState = (state: 'revoked' | 'spent') => async (bridge: TestBridge) => {
  await invited(bridge);
  await bridge.db.updateTable('bridge.invitation').set({ state }).execute();
};
const expired = async (bridge: TestBridge) => void (await bridge.invite({ token: TOKEN, expiresAt: new Date(NOW * 1000) }));

/** What has happened before each message. */
const BEFORE: Record<string, (bridge: TestBridge) => Promise<void>> = {
  'creation-expired.json': expired,
  'creation-reserved.json': invited,
  'creation-revoked.json': inState('revoked'),
  'creation-spent.json': inState('spent'),
  'creation-unknown.json': async () => {},
  'creation-username-mismatch.json': invited,
  'infos-active.json': created,
  'infos-expired.json': created,
  'infos-grace.json': created,
  'infos-none.json': created,
  'outcome-committed.json': created,
  'outcome-rolled-back.json': created,
  'verify-expired.json': expired,
  'verify-revoked.json': inState('revoked'),
  'verify-spent.json': inState('spent'),
  'verify-unknown.json': async () => {},
  'verify-valid.json': invited,
};

describe('the messages between Keycloak and bridge', () => {
  let bridge: TestBridge;
  beforeAll(async () => {
    bridge = await openBridge({ newAppId: () => 'c0ffee00-1111-4222-8333-444455556666' });
  });
  afterAll(() => bridge.close());
  beforeEach(async () => {
    bridge.clock.set(NOW);
    for (const table of ['bridge.trial', 'bridge.registration', 'bridge.invitation'] as const) await bridge.db.deleteFrom(table).execute();
  });

  test.each(readdirSync(FOLDER).filter((file) => file.endsWith('.json')))('%s', async (file) => {
    const { now, request, response } = golden(file);
    expect(BEFORE).toHaveProperty([file]);
    await BEFORE[file]?.(bridge);
    bridge.clock.set(now);
    const { method, path, headers, body } = request;
    const authorization = `Bearer ${await bridge.realm.stepToken()}`;
    const answer = await bridge.send(path, { method, body, headers: { ...headers, authorization } });
    expect({ status: answer.status, body: answer.body }).toEqual(response);
    expect(answer.headers.get('x-request-id')).toBe('golden-0001');
  });
});

function golden(file: string): Golden {
  return JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Golden;
}
