import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { axe, launchBrowser, type TestBrowser } from '../support/browser.ts';
import { httpBrowser } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { freshAddress } from '../support/person.ts';
import { queryDatabase } from '../support/stack.ts';
import { invite, isSignedIn, PASSWORD, submitForm } from '../support/visitor.ts';

const admin = keycloakAdmin();
const WHOLE = { 'attributes.team': 'Engines', 'consents.terms': '2' };

async function accountOf(address: string): Promise<{ id: string; attributes?: Record<string, string[]> } | undefined> {
  const [user] = await admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
  return user;
}

const keptOf = (address: string) =>
  queryDatabase(
    `select attribute as id, value, step from bridge.given_attribute join bridge.registration using (attempt_id) where address = $1
     union all select consent, version, step from bridge.given_consent join bridge.registration using (attempt_id) where address = $1 order by 1`,
    [address],
  );

/** An invitation to the product that asks, with what is given at sign-up, and its form. */
async function openForm(address: string, given: object = {}) {
  const browser = httpBrowser();
  return { browser, form: await browser.get(await invite(address, { product: 'lab', ...given })) };
}

describe('the registration form of a product that asks', () => {
  test('asks what was not given with the address, and keeps it', async () => {
    const address = freshAddress('ada');
    const { browser, form } = await openForm(address);
    for (const text of ['Your team', 'Your role', 'I accept the terms of the lab', 'Write to me about what is new', 'href="https://example.com/terms?of=lab&v=2"']) expect(form.body).toContain(text);
    expect(isSignedIn(await submitForm(browser, form, { ...WHOLE, 'consents.news': '1' }))).toBe(true);
    expect(await keptOf(address)).toEqual([
      { id: 'news', value: '1', step: 'registration_form' },
      { id: 'team', value: 'Engines', step: 'registration_form' },
      { id: 'terms', value: '2', step: 'registration_form' },
    ]);
  });

  test('asks nothing that was given with the address', async () => {
    const address = freshAddress('ada');
    const { browser, form } = await openForm(address, { attributes: { team: 'Engines' }, consents: [{ id: 'terms', version: '2' }] });
    for (const name of ['attributes.team', 'consents.terms']) expect(form.body).not.toContain(name);
    expect(form.body).toContain('attributes.role');
    expect(isSignedIn(await submitForm(browser, form, { 'attributes.role': 'Analyst' }))).toBe(true);
    expect(await keptOf(address)).toEqual([
      { id: 'role', value: 'Analyst', step: 'registration_form' },
      { id: 'team', value: 'Engines', step: 'sign_up' },
      { id: 'terms', value: '2', step: 'sign_up' },
    ]);
  });

  const TICKED = /id="consents\.terms-2"[^>]*checked/s;
  test.each<[string, Record<string, string>, string, RegExp]>([
    ['the consent is missing', { 'attributes.team': 'Engines' }, 'Please tick this to go on.', /value="Engines"/],
    ['another version is ticked', { ...WHOLE, 'consents.terms': '1' }, 'Please tick this to go on.', /value="Engines"/],
    ['the team is missing', { 'consents.terms': '2', 'attributes.role': 'Analyst' }, 'We need this to go on.', /value="Analyst"/],
    ['the team is too long', { ...WHOLE, 'attributes.team': 'x'.repeat(21) }, 'Please use at most 20 characters.', TICKED],
    ['the bridge does not take the characters', { ...WHOLE, 'attributes.team': 'En\u0007gines' }, 'This has characters that we can', TICKED],
  ])('says so where %s, makes nothing, and keeps what was typed', async (_name, values, message, kept) => {
    const address = freshAddress('ada');
    const { browser, form } = await openForm(address);
    const again = await submitForm(browser, form, { firstName: 'Augusta', ...values });
    expect(again.body).toContain(message);
    expect(await accountOf(address)).toBeUndefined();
    expect(again.body).toContain('value="Augusta"');
    expect(again.body).toMatch(kept);
    expect(isSignedIn(await submitForm(browser, again, WHOLE))).toBe(true);
  });

  test('shows what is wrong with the answers beside what is wrong with the rest', async () => {
    const { browser, form } = await openForm(freshAddress('ada'));
    const again = await submitForm(browser, form, { 'attributes.team': 'Engines', password: 'short', 'password-confirm': 'short' });
    expect(again.body).toContain('Please tick this to go on.');
    expect(again.body).toMatch(/Invalid password/);
  });

  test('leaves no answer on the user, not even where the realm takes attributes that nobody declared', async () => {
    const address = freshAddress('ada');
    const { browser, form } = await openForm(address);
    const profile = await admin.get('/users/profile');
    await admin.put('/users/profile', { ...profile, unmanagedAttributePolicy: 'ENABLED' });
    await submitForm(browser, form, WHOLE).finally(() => admin.put('/users/profile', profile));
    expect(Object.keys((await accountOf(address))?.attributes ?? {}).filter((name) => !['trial_stamp', 'locale'].includes(name))).toEqual([]);
  });

  test('that was asked before the text changed is not taken, and says to open the link again', async () => {
    const address = freshAddress('ada');
    const link = await invite(address, { product: 'lab', attributes: { team: 'Engines' }, consents: [{ id: 'terms', version: '2' }] });
    const browser = httpBrowser();
    const form = await browser.get(link);
    // As if what was given at sign-up no longer counted.
    await queryDatabase("update bridge.sign_up_request set consents = '[]' where address = $1", [address]);
    const again = await submitForm(browser, form);
    expect(again.body).toContain('What is asked here has changed meanwhile');
    expect(await accountOf(address)).toBeUndefined();
    const anew = httpBrowser();
    expect(isSignedIn(await submitForm(anew, await anew.get(link), { 'consents.terms': '2' }))).toBe(true);
  });

  test('of a product that asks nothing stays as it was', async () => {
    const form = await httpBrowser().get(await invite(freshAddress('ada')));
    expect(form.body).not.toMatch(/name="(attributes|consents)\./);
  });
});

describe('in Chromium', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  afterEach(() => browser.closePages());

  test('one answers in the language of the page, and nothing is lost by changing it, nor by a fault', async () => {
    const address = freshAddress('ada');
    const page = await browser.newPage({ locale: 'en' });
    await page.goto(await invite(address, { product: 'lab', locale: 'en' }));
    expect(await axe(page)).toEqual([]);
    await page.fill('[name="attributes.team"]', 'Engines');
    await page.check('[id="consents.terms-2"]');
    if (process.env['SCREENSHOTS']) await page.screenshot({ path: `${process.env['SCREENSHOTS']}/form-asking.png`, fullPage: true });
    const french = await page.locator('#login-select-toggle option', { hasText: /fran/i }).getAttribute('value');
    await page.selectOption('#login-select-toggle', french);
    await page.waitForSelector('text=Votre équipe');
    expect(await page.inputValue('[name="attributes.team"]')).toBe('Engines');
    expect(await page.isChecked('[id="consents.terms-2"]')).toBe(true);
    await page.uncheck('[id="consents.terms-2"]');
    await page.fill('#password', PASSWORD);
    await page.fill('#password-confirm', PASSWORD);
    await page.click('[type=submit]');
    await page.waitForSelector('text=Cochez cette case pour continuer.');
    expect(await page.inputValue('[name="attributes.team"]')).toBe('Engines');
    expect(await axe(page)).toEqual([]);
    if (process.env['SCREENSHOTS']) await page.screenshot({ path: `${process.env['SCREENSHOTS']}/form-fault.png`, fullPage: true });
    await page.check('[id="consents.terms-2"]');
    await page.fill('#password', PASSWORD);
    await page.fill('#password-confirm', PASSWORD);
    await page.click('[type=submit]');
    await page.waitForSelector('[data-testid="sample-app"]');
    expect((await keptOf(address)).map(({ id }) => id)).toEqual(['team', 'terms']);
  });
});
