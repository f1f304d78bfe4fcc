import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { send, type Browser } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Zoë', roles: ['staff'], trial: { app: 'app-1', endsAt: 4_000_000_000, accessUntil: 4_000_000_100 } };
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({ type: 'sec1', format: 'pem' }).toString();
const [OLD, NEW] = [newKey(), newKey()];

let stand: Stand;
beforeAll(async () => {
  stand = await startStand({ env: { IDENTITY_SIGNING_KEY: OLD.replaceAll('\n', '\\n') } });
  stand.provider.person = ADA;
});
afterAll(() => stand.stop());

const keysAt = async (url: string) => createLocalJWKSet((await send(url, {}, '/api/identity/keys')).json<JSONWebKeySet & Record<string, unknown>>());
const tokenAfter = async (browser: Browser) => {
  await browser.get('/');
  return String(stand.app.last().headers['x-vestibule-identity']);
};

describe('the signed identity', () => {
  test('says to the app who it is, checkable by the published keys', async () => {
    const token = await tokenAfter(await stand.signedIn());
    const { payload, protectedHeader } = await jwtVerify(token, await keysAt(stand.url), { issuer: stand.url, audience: stand.url, typ: 'vestibule-identity+jwt', algorithms: ['ES256'] });
    expect(payload).toMatchObject({ sub: 'user-ada', email: 'ada@example.com', name: 'Ada Zoë', roles: ['staff'], groups: [], trial_app: 'app-1', trial_ends_at: 4_000_000_000 });
    expect(protectedHeader.kid).toBeTruthy();
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(180);
  });

  test('is made once a minute per session, not per request', async () => {
    const browser = await stand.signedIn();
    const first = await tokenAfter(browser);
    expect(await tokenAfter(browser)).toBe(first);
    stand.clock.setOffset(61);
    expect(await tokenAfter(browser)).not.toBe(first);
    stand.clock.setOffset(0);
  });

  test('never outlives the session', async () => {
    const until = Math.floor(Date.now() / 1000) + 60;
    stand.provider.person = { ...ADA, trial: { app: 'app-1', endsAt: until, accessUntil: until } };
    const token = await tokenAfter(await stand.signedIn());
    stand.provider.person = ADA;
    expect((await jwtVerify(token, await keysAt(stand.url))).payload.exp).toBe(until);
  });

  test('of the browser never arrives', async () => {
    const browser = await stand.signedIn();
    await browser.get('/', { 'x-vestibule-identity': 'forged', X_Vestibule_Identity: 'forged' });
    const received = stand.app.last().rawHeaders.filter((_value, at, all) => at % 2 === 1 && /vestibule.identity/i.test(all[at - 1] ?? ''));
    expect(received).toHaveLength(1);
    expect(received[0]).not.toBe('forged');
  });

  test('a rotation breaks nothing: what the previous key signed is checkable at a replica that has the new one', async () => {
    const token = await tokenAfter(await stand.signedIn());
    const rotated = await stand.replica({ IDENTITY_SIGNING_KEY: NEW, IDENTITY_SIGNING_KEY_PREVIOUS: OLD });
    const keys = await keysAt(rotated.url);
    expect((await jwtVerify(token, keys)).payload.sub).toBe('user-ada');
    const { kid } = decodeProtectedHeader(token);
    expect((await send(rotated.url, {}, '/api/identity/keys')).json<{ keys: { kid: string }[] }>().keys.map((key) => key.kid).indexOf(String(kid))).toBe(1);
    await rotated.proxy.stop();
  });
});

test('without a key there is none, and no keys are published', async () => {
  const plain = await startStand();
  const browser = await plain.signedIn();
  await browser.get('/');
  expect(plain.app.last().headers['x-vestibule-identity']).toBeUndefined();
  expect((await send(plain.url, {}, '/api/identity/keys')).json()).toEqual({ keys: [] });
  await plain.stop();
});
