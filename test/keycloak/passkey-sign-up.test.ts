import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { CDPSession, Page } from 'playwright-core';
import { authenticator, type Wrong } from '../support/authenticator.ts';
import { axe, launchBrowser, PHONE, type TestBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { freshAddress } from '../support/person.ts';
import { pause, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, PASSWORD, submitForm } from '../support/visitor.ts';
import { addStep, realm, settings, step, stepOf, type Break } from './support/breaking.ts';
import { NO_PASSKEYS, passkeys, requiredAction } from './support/passkeys.ts';

const admin = keycloakAdmin();
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  undo.push(await passkeys(admin));
});
afterAll(async () => {
  for (const one of undo) await one();
});

interface Account {
  id: string;
  username: string;
  emailVerified: boolean;
  attributes?: Record<string, string[]>;
}

const accountsOf = (address: string): Promise<Account[]> => admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
const credentialsOf = async (address: string): Promise<string[]> => (await admin.get(`/users/${(await accountsOf(address))[0]!.id}/credentials`)).map(({ type }: { type: string }) => type);
const trialsOf = (address: string) => queryDatabase('select t.id from bridge.trial t join bridge.registration r on r.attempt_id = t.attempt_id where r.address = $1', [address]);
const attemptsOf = (address: string) => queryDatabase('select attempt_id from bridge.registration where address = $1', [address]);

const CAPTCHA = 'registration-recaptcha-action';
const OFFERED = 'id="trial-passkey-create"';
const CHOSEN = { 'trial-passkey': 'create', password: '', 'password-confirm': '' };
const askForPasskey = (browser: HttpBrowser, form: Visit, values: Record<string, string> = {}): Promise<Visit> => submitForm(browser, form, { ...CHOSEN, ...values });
const withPasskey = (browser: HttpBrowser, page: Visit, wrong?: Wrong, device = authenticator()): Promise<Visit> => browser.submit(page.form('trial-passkey-form'), device.make(page, wrong));

/** Invited, and on the form. */
async function arrive(fields: Record<string, unknown> = {}): Promise<{ address: string; link: string; browser: HttpBrowser; form: Visit }> {
  const address = freshAddress('ada');
  const link = await invite(address, fields);
  const browser = httpBrowser();
  return { address, link, browser, form: await browser.get(link) };
}

/** On the page that has the passkey made. */
async function arriveAtPasskey(fields: Record<string, unknown> = {}, answers: Record<string, string> = {}) {
  const arrived = await arrive(fields);
  const page = await askForPasskey(arrived.browser, arrived.form, answers);
  expect(page.body).toContain('trial-passkey-form');
  return { ...arrived, page };
}

const captcha: Break = async (on) => {
  const takeOut = await addStep('vestibule registration form', CAPTCHA, 'REQUIRED', 'vestibule registration')(on);
  const { id } = await stepOf(on, 'vestibule registration', CAPTCHA);
  await on.create(`/authentication/executions/${id}/config`, { alias: 'captcha', config: { 'site.key': 'a', 'secret.key': 'b' } });
  return takeOut;
};

const both = (...all: (() => Promise<unknown>)[]) => async (): Promise<void> => {
  for (const one of all) await one();
};

describe('the locked form', () => {
  test.each<[string, Break, boolean]>([
    ['where login forms take passkeys', realm({}), true],
    ['where the browser flow has Keycloak’s step for passkeys', async (on) => both(await realm(NO_PASSKEYS)(on), await addStep('vestibule browser sign-in', 'webauthn-authenticator-passwordless', 'ALTERNATIVE', 'vestibule browser')(on)), true],
    ['where nobody could sign in with one', realm(NO_PASSKEYS), false],
    ['where nobody may make one', requiredAction({ enabled: false }), false],
    ['where the form insists on a password', step('vestibule registration', 'trial-password-action', { requirement: 'DISABLED' }), false],
    ['where the form has a captcha, whose answer is good once', captcha, false],
  ])('%s: %#', async (_, change, offered) => {
    const back = await change(admin);
    try {
      const { form } = await arrive();
      expect(form.body).toContain('kc-register-form');
      expect(form.body.includes(OFFERED)).toBe(offered);
    } finally {
      await back();
    }
  });

  test('without an invitation offers none', async () => {
    const close = await settings('vestibule registration', 'trial-token-authenticator', { withoutInvitation: 'allow' })(admin);
    try {
      const browser = httpBrowser();
      const form = await browser.get((await browser.get(`${stack().proxy}/api/login`)).link(/registration/));
      expect(form.body).toContain('kc-register-form');
      expect(form.body).not.toContain(OFFERED);
      expect((await browser.submit(form.form('kc-register-form'), { email: freshAddress('eve'), firstName: 'E', lastName: 'E', ...CHOSEN })).body).not.toContain('trial-passkey-form');
    } finally {
      await close();
    }
  });

  test('asks for a password where a passkey is chosen that is not offered', async () => {
    const { address, browser, form } = await arrive();
    const back = await realm(NO_PASSKEYS)(admin);
    const page = await askForPasskey(browser, form).finally(back);
    expect(page.body).toContain('kc-register-form');
    expect(page.body).not.toContain('trial-passkey-form');
    expect(await accountsOf(address)).toEqual([]);
  });

  test('judges what is typed before a passkey is made, and keeps it', async () => {
    const { address, browser, form } = await arrive();
    const again = await askForPasskey(browser, form, { firstName: '<b>' });
    expect(again.body).toContain('kc-register-form');
    expect(again.body).toMatch(/<input[^>]*id="trial-passkey-create"[^>]*checked/s);
    const page = await browser.submit(again.form('kc-register-form'), { firstName: "Ada-Jane O'Neil" });
    expect(isSignedIn(await withPasskey(browser, page))).toBe(true);
    expect(await accountsOf(address)).toMatchObject([{ firstName: "Ada-Jane O'Neil", lastName: 'Lovelace' }]);
  });
});

describe('an account with a passkey', () => {
  test('is that of the form: stamped, verified, in its group, signed in; its passkey signs in, and the invitation is spent', async () => {
    const { address, link, browser, page } = await arriveAtPasskey();
    const device = authenticator();
    expect(isSignedIn(await withPasskey(browser, page, undefined, device))).toBe(true);
    const [account, ...others] = await accountsOf(address);
    expect(others).toEqual([]);
    expect(account).toMatchObject({ username: address, emailVerified: true, firstName: 'Ada', lastName: 'Lovelace' });
    expect(JSON.parse(account!.attributes!['trial_stamp']![0]!)).toMatchObject({ product: 'app', state: 'active', made: true, roles: ['trial-user'] });
    expect((await admin.get(`/users/${account!.id}/groups`)).map(({ path }: { path: string }) => path)).toEqual(['/vestibule-trials']);
    expect(await credentialsOf(address)).toEqual(['webauthn-passwordless']);
    expect(await trialsOf(address)).toHaveLength(1);
    expect(await admin.get(`/events?type=REGISTER&user=${account!.id}`)).toMatchObject([{ details: { register_method: 'form', username: address } }]);
    expect(await admin.get(`/events?type=UPDATE_CREDENTIAL&user=${account!.id}`)).toMatchObject([{ details: { credential_type: 'webauthn-passwordless' } }]);

    const later = httpBrowser();
    const login = await later.get(`${stack().proxy}/api/login`);
    expect(isSignedIn(await later.submit(login.form('webauth'), device.prove(login)))).toBe(true);
    expect((await later.json(`${stack().proxy}/api/session`)).user.email).toBe(address);
    await eventually(async () => (await httpBrowser().get(link)).body.includes('used already'));
  });

  test('has no password, whatever was posted, and no attribute that it was made with', async () => {
    const profile = await admin.get('/users/profile');
    await admin.put('/users/profile', { ...profile, unmanagedAttributePolicy: 'ENABLED' });
    try {
      const { address, browser, page } = await arriveAtPasskey({}, { password: PASSWORD, 'password-confirm': 'another' });
      expect(page.body).not.toContain(PASSWORD);
      expect(isSignedIn(await browser.submit(page.form('trial-passkey-form'), { ...authenticator().make(page), password: PASSWORD }))).toBe(true);
      expect(await credentialsOf(address)).toEqual(['webauthn-passwordless']);
      expect(Object.keys((await accountsOf(address))[0]!.attributes!).filter((name) => !['trial_stamp', 'locale'].includes(name))).toEqual([]);
    } finally {
      await admin.put('/users/profile', profile);
    }
  });

  test('is not asked for another one where everybody has to have one', async () => {
    const back = await requiredAction({ defaultAction: true })(admin);
    try {
      const { browser, page } = await arriveAtPasskey();
      expect(isSignedIn(await withPasskey(browser, page))).toBe(true);
    } finally {
      await back();
    }
  });

  test('answers what the product asks', async () => {
    const { address, browser, form } = await arrive({ product: 'lab' });
    const again = await askForPasskey(browser, form, { 'attributes.team': '"Engines" & <b>' });
    expect(again.body).toContain('Please tick this to go on.');
    const page = await browser.submit(again.form('kc-register-form'), { 'consents.terms': '2' });
    expect(page.body).toContain('value="&quot;Engines&quot; &amp; &lt;b&gt;"');
    expect(isSignedIn(await withPasskey(browser, page))).toBe(true);
    expect(await queryDatabase('select consent as id, version from bridge.given_consent join bridge.registration using (attempt_id) where address = $1', [address])).toEqual([{ id: 'terms', version: '2' }]);
  });

  test('SECURITY 5: takes the place of a squatter’s, who keeps nothing', async () => {
    const { address, browser, page } = await arriveAtPasskey();
    const squatter = await admin.create('/users', { username: address, email: address, emailVerified: false, enabled: true });
    expect(isSignedIn(await withPasskey(browser, page))).toBe(true);
    expect(await admin.get(`/users/${squatter}`)).toMatchObject({ enabled: false, username: `set-aside-${squatter}` });
  });
});

describe('nothing is made', () => {
  test('by who leaves before the passkey: the same link signs up by password', async () => {
    const { address, link, browser } = await arriveAtPasskey();
    expect([await accountsOf(address), await attemptsOf(address)]).toEqual([[], []]);
    expect(isSignedIn(await submitForm(browser, await browser.get(link)))).toBe(true);
    expect(await credentialsOf(address)).toEqual(['password']);
    expect(await trialsOf(address)).toHaveLength(1);
  });

  test('by who thinks better of it: the form is there again, filled', async () => {
    const { address, browser, page } = await arriveAtPasskey();
    const form = await browser.submit(page.form('trial-passkey-form'), { decision: 'password' });
    expect(form.body).toContain('value="Lovelace"');
    expect(form.body).not.toMatch(/<input[^>]*id="trial-passkey-create"[^>]*checked/s);
    expect(form.body).not.toMatch(/pf-m-danger|alert-error/);
    expect(await accountsOf(address)).toEqual([]);
    expect(isSignedIn(await submitForm(browser, form))).toBe(true);
    expect(await credentialsOf(address)).toEqual(['password']);
  });

  test.each<[string, (made: Record<string, string>, page: Visit) => Record<string, string> | Promise<Record<string, string>>]>([
    ['that was made at another origin', (_, page) => authenticator().make(page, { origin: 'https://evil.example' })],
    ['that was made for another site', (_, page) => authenticator().make(page, { rpId: 'evil.example' })],
    ['of an earlier page: a replay', async () => authenticator().make((await arriveAtPasskey()).page)],
    ['without the look at the person that the realm asks for', (_, page) => authenticator().make(page, { verified: false })],
    ['that is none', (made) => ({ ...made, attestationObject: '!' })],
    ['that is broken', (made) => ({ ...made, attestationObject: made['attestationObject']!.slice(0, -20) })],
  ])('of a passkey %s; the next one is taken', async (_, spoil) => {
    const { address, browser, page } = await arriveAtPasskey();
    const again = await browser.submit(page.form('trial-passkey-form'), await spoil(authenticator().make(page), page));
    expect(again.body).toContain('The passkey could not be made.');
    expect([await accountsOf(address), await attemptsOf(address)]).toEqual([[], []]);
    const anew = await browser.submit(again.form('kc-register-form'), { password: '', 'password-confirm': '' });
    expect(isSignedIn(await withPasskey(browser, anew))).toBe(true);
    expect(await accountsOf(address)).toHaveLength(1);
  });

  test('of half a passkey: the page that makes it comes again', async () => {
    const { address, browser, page } = await arriveAtPasskey();
    const again = await browser.submit(page.form('trial-passkey-form'), { ...authenticator().make(page), clientDataJSON: '' });
    expect(await accountsOf(address)).toEqual([]);
    expect(isSignedIn(await withPasskey(browser, again))).toBe(true);
  });

  test.each<[string, () => Promise<() => unknown>]>([
    ['cannot have what it needs', () => settings('vestibule registration', 'trial-token-form-action', { allowedRoles: 'customer' })(admin)],
    ['is not reserved, because the bridge is away', async () => pause('bridge')],
  ])('SECURITY 2: where the account %s: the form says so, and goes on', async (_, breakIt) => {
    const { address, browser, page } = await arriveAtPasskey();
    const mend = await breakIt();
    const failed = await withPasskey(browser, page).finally(mend);
    expect(failed.body).toContain('Nothing was stored');
    expect(await accountsOf(address)).toEqual([]);
    const anew = await eventually(async () => {
      const next = await browser.submit(failed.form('kc-register-form'), { password: '', 'password-confirm': '' });
      return next.body.includes('trial-passkey-form') && next;
    });
    expect(isSignedIn(await withPasskey(browser, anew))).toBe(true);
    expect(await trialsOf(address)).toHaveLength(1);
  });

  test('where the invitation is withdrawn meanwhile', async () => {
    const { address, link, browser, page } = await arriveAtPasskey();
    await queryDatabase("update bridge.invitation set state = 'revoked' where token_hash = sha256(convert_to($1, 'UTF8'))", [new URL(link).searchParams.get('invitation_token')]);
    expect((await withPasskey(browser, page)).body).toContain('This invitation was withdrawn meanwhile.');
    expect(await accountsOf(address)).toEqual([]);
  });

  test('SECURITY 6: by another address put into either page', async () => {
    const { address, browser, form } = await arrive();
    const eve = freshAddress('eve');
    expect((await askForPasskey(browser, form, { email: eve })).body).toContain('kc-register-form');
    const page = await askForPasskey(browser, await browser.get(await invite(freshAddress('ada'))));
    expect(isSignedIn(await browser.submit(page.form('trial-passkey-form'), { ...authenticator().make(page), email: eve }))).toBe(false);
    expect([await accountsOf(eve), await accountsOf(address)]).toEqual([[], []]);
  });
});

test('two tabs, a password in one and a passkey in the other: one account, and the later one is told', async () => {
  const { address, link, browser, page } = await arriveAtPasskey();
  expect(isSignedIn(await submitForm(browser, await browser.get(link)))).toBe(true);
  const late = await withPasskey(browser, page);
  expect(late.status).toBeLessThan(500);
  expect(await accountsOf(address)).toHaveLength(1);
  expect(await credentialsOf(address)).toEqual(['password']);
  expect(await trialsOf(address)).toHaveLength(1);
});

test('the same passkey posted twice at once: one account with one passkey', async () => {
  const { address, browser, page } = await arriveAtPasskey();
  const made = authenticator().make(page);
  const pages = await Promise.all([1, 2].map(() => browser.submit(page.form('trial-passkey-form'), made)));
  expect(pages.filter(({ status }) => status >= 500)).toEqual([]);
  expect(pages.filter(isSignedIn).length).toBeGreaterThanOrEqual(1);
  expect(await accountsOf(address)).toHaveLength(1);
  expect(await credentialsOf(address)).toEqual(['webauthn-passwordless']);
});

test('passwords and passkeys at once, in many browsers: one account, one trial, one credential, no 500', async () => {
  const address = freshAddress('ada');
  const link = await invite(address);
  const visitors = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => {
      const browser = httpBrowser();
      const form = await browser.get(link);
      if (index % 2 === 0) return () => submitForm(browser, form);
      const page = await askForPasskey(browser, form);
      return () => withPasskey(browser, page);
    }),
  );
  const pages = await Promise.all(visitors.map((submit) => submit()));
  expect(pages.filter(({ status }) => status >= 500).map(({ body }) => body)).toEqual([]);
  expect(pages.filter(isSignedIn)).toHaveLength(1);
  expect(pages.filter(({ body }) => /unexpected error/i.test(body))).toEqual([]);
  expect(await accountsOf(address)).toHaveLength(1);
  expect(await credentialsOf(address)).toHaveLength(1);
  expect(await trialsOf(address)).toHaveLength(1);
});

const look = async (page: Page, name: string): Promise<void> => {
  expect(await axe(page)).toEqual([]);
  if (process.env['SCREENSHOTS']) await page.screenshot({ path: `${process.env['SCREENSHOTS']}/${name}.png`, fullPage: true });
};

/** A device that has passkeys, and asks nobody. */
async function deviceOf(page: Page): Promise<{ device: CDPSession; authenticatorId: string }> {
  const device = await page.context().newCDPSession(page);
  await device.send('WebAuthn.enable');
  const { authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return { device, authenticatorId };
}

describe('in Chromium', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  afterEach(() => browser.closePages());

  test('from the mail to the app by a passkey, out, and in again by it', async () => {
    const address = freshAddress('ada');
    const page = await browser.newPage({ locale: 'en' });
    const { device, authenticatorId } = await deviceOf(page);
    await page.goto(await invite(address, { locale: 'en' }));
    await look(page, 'passkey-form');
    await page.fill('#firstName', 'Ada');
    await page.fill('#lastName', 'Lovelace');
    await page.check('#trial-passkey-create');
    await page.waitForSelector('#password', { state: 'hidden' });
    expect(await page.isVisible('#password-confirm')).toBe(false);
    await look(page, 'passkey-form-chosen');
    await page.click('#kc-register-form [type=submit]');
    await page.waitForSelector('#trial-passkey-make');
    await look(page, 'passkey-page');

    await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await page.click('#trial-passkey-make');
    await page.waitForSelector('#trial-passkey-problem', { state: 'visible' });
    await look(page, 'passkey-problem');
    expect(await accountsOf(address)).toEqual([]);
    await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
    await page.click('#trial-passkey-make');
    await page.waitForSelector('[data-testid="sample-app"]');
    expect(await credentialsOf(address)).toEqual(['webauthn-passwordless']);
    const [account] = await accountsOf(address);
    const { credentials } = await device.send('WebAuthn.getCredentials', { authenticatorId });
    expect(credentials.map(({ userHandle, isResidentCredential }) => [Buffer.from(userHandle!, 'base64').toString(), isResidentCredential])).toEqual([[account!.id, true]]);

    await page.goto(`${stack().proxy}/api/logout`);
    await page.click('main button.primary');
    await page.waitForURL(`${stack().proxy}/api/logout/done**`);
    await page.goto(`${stack().proxy}/api/login`);
    await page.waitForSelector('[data-testid="sample-app"]');
  });

  test('looks like a page of the house on a phone, in French and in the dark; without a script the form asks for a password', async () => {
    const phone = await browser.newPage({ ...PHONE, locale: 'fr' });
    await deviceOf(phone);
    await phone.goto(await invite(freshAddress('eve'), { locale: 'fr' }));
    await look(phone, 'passkey-form-phone');
    await phone.fill('#firstName', 'Eve');
    await phone.fill('#lastName', 'L');
    await phone.check('#trial-passkey-create');
    await phone.click('#kc-register-form [type=submit]');
    await phone.waitForSelector('#trial-passkey-make');
    await look(phone, 'passkey-page-phone');
    await phone.selectOption('#login-select-toggle', (await phone.getAttribute('#login-select-toggle option[value*="kc_locale=en"]', 'value'))!);
    await phone.waitForSelector('#kc-register-form');
    expect([await phone.inputValue('#firstName'), await phone.isChecked('#trial-passkey-create'), await phone.isVisible('#password')]).toEqual(['Eve', true, false]);

    const plain = await browser.newPage({ locale: 'en', colorScheme: 'dark', javaScriptEnabled: false });
    await plain.goto(await invite(freshAddress('bob'), { locale: 'en' }));
    expect([await plain.isVisible('#password'), await plain.isVisible('#trial-passkey-create')]).toEqual([true, false]);
  });
});
