import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../../platform/http-browser.ts';
import { freshAddress } from '../../support/person.ts';
import { invite, isSignedIn, submitForm } from '../../support/visitor.ts';
import { attempts, endsWell, releaseIsDue, userIds } from '../support/ending.ts';
import { holdUserCommits, type HeldCommit } from '../support/held-commit.ts';
import { CREATION, kill, mendAll, OUTCOME, relay, RESERVE, start, stop } from '../support/stand.ts';

jest.setTimeout(180_000);

const bridge = relay('keycloak-bridge');
const bridgeDatabase = relay('bridge-postgres');

let address: string;
let link: string;
let browser: HttpBrowser;
let form: Visit;
beforeEach(async () => {
  address = freshAddress('ada');
  link = await invite(address);
  browser = httpBrowser();
  form = await browser.get(link);
});
afterEach(mendAll);

/** Submits; the creation waits in front of the bridge. Keycloak waits for 3 s. */
async function submitUpToTheBridge(): Promise<{ submitted: Promise<Visit | undefined> }> {
  await bridge.inject({ sees: CREATION, does: 'hold-request' });
  const submitted = submitForm(browser, form).catch(() => undefined);
  await bridge.holds();
  return { submitted };
}

describe('the bridge is killed while it answers creation', () => {
  test('before its commit: nothing is left', async () => {
    const { submitted } = await submitUpToTheBridge();
    await bridgeDatabase.inject({ sees: RESERVE, does: 'hold-request', times: 1000 });
    await bridge.release();
    await bridgeDatabase.holds();
    await kill('bridge');
    await bridgeDatabase.cut();
    expect((await submitted)?.body).toContain('kc-register-form');
    await mendAll();
    expect(await attempts(address)).toEqual([]);
    await start('bridge');
    await endsWell(address, link);
  });

  test('after its commit: the attempt is pending, and the next one takes its place', async () => {
    const { submitted } = await submitUpToTheBridge();
    await bridgeDatabase.inject({ sees: RESERVE, does: 'hold-answer', times: 1000 });
    await bridge.release();
    await eventually(async () => (await attempts(address)).length === 1);
    await kill('bridge');
    await bridgeDatabase.cut();
    expect((await submitted)?.body).toContain('kc-register-form');
    await mendAll();
    await start('bridge');
    await endsWell(address, link);
    expect(await attempts(address)).toMatchObject([{ state: 'superseded' }, { state: 'confirmed' }]);
  });
});

/** All of success() is done, and the account is nobody's yet. */
async function killBetweenSuccessAndCommit(): Promise<HeldCommit> {
  const commit = await holdUserCommits();
  const submitted = submitForm(browser, form).catch(() => undefined);
  await commit.waits();
  expect(await attempts(address)).toMatchObject([{ state: 'pending', outcome: null }]);
  await kill('keycloak');
  await submitted;
  return commit;
}

describe('Keycloak is killed', () => {
  test('between success and commit: no user is left, and the same link makes one', async () => {
    const commit = await killBetweenSuccessAndCommit();
    await commit.lose();
    await start('keycloak');
    expect(await userIds(address)).toEqual([]);
    expect(await attempts(address)).toMatchObject([{ state: 'pending', outcome: null }]);
    await endsWell(address, link);
    expect(await attempts(address)).toMatchObject([{ state: 'superseded' }, { state: 'confirmed' }]);
  });

  test('between success and commit, which Postgres has already: the user is there, and the attempt is confirmed without a report', async () => {
    const commit = await killBetweenSuccessAndCommit();
    await commit.letGo();
    await start('keycloak');
    expect(await userIds(address)).toHaveLength(1);
    await endsWell(address, link, { hurried: true });
    expect(await attempts(address)).toMatchObject([{ state: 'confirmed', outcome: null }]);
  });

  test('after its commit, before it reports: the user is there, and the attempt is confirmed without a report', async () => {
    await bridge.inject({ sees: OUTCOME, does: 'hold-request' });
    expect(isSignedIn(await submitForm(browser, form))).toBe(true);
    await bridge.holds();
    await kill('keycloak');
    await bridge.cut();
    await start('keycloak');
    await endsWell(address, link, { hurried: true });
    expect(await attempts(address)).toMatchObject([{ state: 'confirmed', outcome: null }]);
  });
});

describe('Postgres', () => {
  test.each([
    ['is restarted', stop],
    ['is killed', kill],
  ])('%s under a creation: the same link works when it is back', async (_, end) => {
    const { submitted } = await submitUpToTheBridge();
    await end('postgres');
    await bridge.release();
    await submitted;
    await start('postgres');
    // Keycloak finds each dead connection of its pool by a request that fails.
    await endsWell(address, link, { hurried: true, againForMilliseconds: 60_000 });
  });

  test('stalls for 2 s once: the creation waits for it', async () => {
    const { submitted } = await submitUpToTheBridge();
    await bridgeDatabase.inject({ sees: RESERVE, does: 'hold-answer' });
    const until = Date.now() + 2000;
    await bridge.release();
    await bridgeDatabase.holds();
    await eventually(() => Date.now() >= until);
    await bridgeDatabase.release();
    const page = await submitted;
    expect(page !== undefined && isSignedIn(page)).toBe(true);
    await endsWell(address, link);
    expect(await attempts(address)).toMatchObject([{ state: 'confirmed' }]);
  });

  test.each([
    ['the bridge', 2, 'bridge-postgres', 1],
    ['the bridge', 4, 'bridge-postgres', 0],
    ['Keycloak', 2, 'keycloak-postgres', 1],
    ['the proxy', 2, 'proxy-postgres', 1],
  ] as const)('answers %s everything %d s later: nothing is half made, and the same link works when it is quick again', async (_, seconds, hop, users) => {
    await relay(hop).slow(seconds * 1000);
    const page = await submitForm(browser, form);
    await mendAll();
    expect(page.body.includes('kc-register-form')).toBe(users === 0);
    expect(await userIds(address)).toHaveLength(users);
    await endsWell(address, link, { hurried: true });
  });
});

test('a creation that arrives after the next one, whose report was lost: the account there is keeps its trial, the other attempt is released', async () => {
  await bridge.inject({ sees: CREATION, does: 'hold-request' });
  await bridge.inject({ sees: OUTCOME, does: 'cut-request', times: 2 });
  const again = await submitForm(browser, form);
  expect(again.body).toContain('kc-register-form');
  expect(isSignedIn(await submitForm(browser, again))).toBe(true);
  await bridge.release();
  await eventually(async () => (await attempts(address)).length === 2);
  await endsWell(address, link, { hurried: true });
  const states = async (): Promise<string[]> => (await attempts(address)).map(({ state }) => state).toSorted();
  expect(await states()).toEqual(['confirmed', 'pending']);
  await releaseIsDue(async () => {
    await eventually(async () => (await states()).includes('released'));
  });
  expect(await states()).toEqual(['confirmed', 'released']);
});
