import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../../platform/http-browser.ts';
import { freshAddress } from '../../support/person.ts';
import { invite, isSignedIn, submitForm } from '../../support/visitor.ts';
import { attempts, endsWell, userIds } from '../support/ending.ts';
import { CREATION, kill, mendAll, OUTCOME, relay, start } from '../support/stand.ts';

const bridge = relay('keycloak-bridge');

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

describe('the bridge is killed', () => {
  test('before it gets the creation: the form comes again, and nothing exists', async () => {
    await bridge.inject({ sees: CREATION, does: 'hold-request' });
    const submitted = submitForm(browser, form);
    await bridge.holds();
    await kill('bridge');
    expect((await submitted).body).toContain('kc-register-form');
    expect(await attempts(address)).toEqual([]);
    expect(await userIds(address)).toEqual([]);
    await bridge.mend();
    await start('bridge');
    await endsWell(address, link);
  });

  test('after it answered, before it hears how that ended: signed in, and confirmed once it runs again', async () => {
    await bridge.inject({ sees: OUTCOME, does: 'hold-request' });
    const page = await submitForm(browser, form);
    expect(isSignedIn(page)).toBe(true);
    await bridge.holds();
    await kill('bridge');
    expect(await attempts(address)).toMatchObject([{ state: 'pending', outcome: null }]);
    await bridge.cut();
    await start('bridge');
    await endsWell(address, link);
  });
});

describe('the bridge committed', () => {
  test('and the connection is cut before Keycloak read the answer: the form comes again, submitting it again works', async () => {
    await bridge.inject({ sees: CREATION, does: 'cut-answer' });
    const again = await submitForm(browser, form);
    expect(again.body).toContain('kc-register-form');
    expect(await attempts(address)).toMatchObject([{ state: 'pending' }]);
    expect(await userIds(address)).toEqual([]);
    expect(isSignedIn(await submitForm(browser, again))).toBe(true);
    await endsWell(address, link);
    expect(await attempts(address)).toMatchObject([{ state: 'superseded' }, { state: 'confirmed' }]);
  });

  test('and Keycloak gave up waiting: another attempt wins', async () => {
    await bridge.inject({ sees: CREATION, does: 'hold-answer' });
    const again = await submitForm(browser, form);
    expect(again.body).toContain('kc-register-form');
    expect(await attempts(address)).toMatchObject([{ state: 'pending' }]);
    expect(isSignedIn(await submitForm(browser, again))).toBe(true);
    await bridge.release();
    await endsWell(address, link);
    expect(await attempts(address)).toMatchObject([{ state: 'superseded' }, { state: 'confirmed' }]);
  });
});

test('a creation that arrives after another attempt has won is refused', async () => {
  await bridge.inject({ sees: CREATION, does: 'hold-request' });
  const again = await submitForm(browser, form);
  expect(again.body).toContain('kc-register-form');
  expect(isSignedIn(await submitForm(browser, again))).toBe(true);
  await eventually(async () => (await attempts(address)).some(({ state }) => state === 'confirmed'));
  await bridge.release();
  await endsWell(address, link);
  expect(await attempts(address)).toMatchObject([{ state: 'confirmed' }]);
});

describe('a late outcome of a superseded attempt changes nothing', () => {
  test.each([
    ['that it was rolled back', undefined],
    ['that it was committed', ['"rolled_back"', '"committed"  '] as const],
  ])('%s', async (_, swap) => {
    await bridge.inject({ sees: CREATION, does: 'cut-answer' });
    await bridge.inject({ sees: OUTCOME, does: 'hold-request' });
    const again = await submitForm(browser, form);
    await bridge.holds();
    expect(isSignedIn(await submitForm(browser, again))).toBe(true);
    await eventually(async () => (await attempts(address)).some(({ state }) => state === 'confirmed'));
    const before = await attempts(address);
    await bridge.release(swap);
    await endsWell(address, link);
    expect(await attempts(address)).toEqual(before);
    expect(before).toMatchObject([{ state: 'superseded', outcome: null }, { state: 'confirmed', outcome: 'committed' }]);
  });
});
