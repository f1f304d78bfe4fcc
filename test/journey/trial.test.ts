import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { axe, launchBrowser, PHONE, screenshot, type TestBrowser } from '../support/browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { freshAddress } from '../support/person.ts';
import { inbox, moveClock, pause, stack } from '../support/stack.ts';
import { invite, PASSWORD, register } from '../support/visitor.ts';

const DAY_SECONDS = 86_400;
let browser: TestBrowser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterEach(async () => {
  await moveClock(0);
  await browser.closePages();
});

afterAll(() => browser.close());

const browse = (options?: BrowserContextOptions): Promise<Page> => browser.newPage(options);

async function choosePassword(page: Page): Promise<void> {
  await page.fill('#firstName', 'Ada');
  await page.fill('#lastName', 'Lovelace');
  await page.fill('#password', PASSWORD);
  await page.fill('#password-confirm', PASSWORD);
  await page.click('#kc-register-form [type=submit]');
}

async function signIn(page: Page, username: string): Promise<void> {
  await page.fill('#username', username);
  await page.fill('#password', PASSWORD);
  await page.click('#kc-login');
}

const sampleApp = (page: Page) => page.waitForSelector('[data-testid="sample-app"]');

test('from an e-mail address to the app, and to the end of the trial', async () => {
  const address = freshAddress('ada');
  const registered = await register(address);
  expect([registered.status, await registered.json()]).toEqual([202, { status: 'accepted' }]);
  const mail = await inbox.waitForMail(address);
  expect(mail.subject).toMatch(/verify your e-?mail/i);

  const page = await browse();
  await page.goto(`${stack().inbox}/`);
  await screenshot(page, 'inbox');
  await page.goto(mail.links.find((link) => link.includes('invitation_token='))!);
  expect(page.url()).not.toContain('invitation_token');
  const locked = page.locator('#email');
  expect([await locked.inputValue(), await locked.isDisabled()]).toEqual([address, true]);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'registration-form');
  await choosePassword(page);

  await sampleApp(page);
  expect(await page.textContent('body')).toContain(address);
  await screenshot(page, 'sample-app');
  await page.click('main a[href^="/apps/"]');
  await page.waitForURL(`${stack().proxy}/apps/**`);
  expect(await page.textContent('h1')).toBe('This is your small app');
  await screenshot(page, 'small-app');
  await page.goto(`${stack().proxy}/whoami`);
  expect(JSON.parse((await page.textContent('body')) ?? '')).toMatchObject({ email: address, groups: ['/vestibule-trials'] });
  const other = await page.goto(`${stack().proxy}/apps/00000000-0000-4000-8000-000000000000`);
  expect(other!.status()).toBe(403);

  await page.goto(`${stack().proxy}/api/logout`);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'sign-out');
  await page.click('main button.primary');
  await page.waitForURL(`${stack().proxy}/api/logout/done**`);
  await screenshot(page, 'signed-out');

  await page.goto(`${stack().proxy}/`);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'sign-in');
  await signIn(page, address);
  await sampleApp(page);

  await moveClock(18 * DAY_SECONDS);
  const later = await browse();
  await later.goto(`${stack().proxy}/`);
  await signIn(later, address);
  expect(await later.textContent('body')).toMatch(/your trial has ended/i);
  expect(await axe(later)).toEqual([]);
  await screenshot(later, 'trial-ended');
  await later.goto(`${stack().proxy}/apps/x`);
  // A login that was begun a moment before in the same browser is waited for first.
  await later.waitForURL(`${stack().keycloak}/**`);
});

test('the language of the request goes through mail, form and back', async () => {
  const address = freshAddress('ada');
  const link = await invite(address, { locale: 'fr' });
  expect((await inbox.waitForMail(address)).text).toContain('essai');
  const page = await browse({ locale: 'en-GB' });
  await page.goto(link);
  expect(await page.getAttribute('html', 'lang')).toBe('fr');
  await screenshot(page, 'registration-form-fr');
  await choosePassword(page);
  await sampleApp(page);
  await page.goto(`${stack().proxy}/api/logout`);
  expect(await page.getAttribute('html', 'lang')).toBe('fr');
});

test('on a phone, in the dark, without JavaScript, from the sign-up page', async () => {
  const address = freshAddress('ada');
  const page = await browse({ ...PHONE, colorScheme: 'dark', javaScriptEnabled: false });
  await page.goto(`${stack().proxy}/trial`);
  await screenshot(page, 'trial-phone-dark');
  await page.fill('input[name=email]', address);
  await page.click('main button.primary');
  await page.waitForURL(`${stack().proxy}/trial/check-email**`);
  const link = (await inbox.waitForMail(address)).links.find((one) => one.includes('invitation_token='))!;
  await page.goto(link);
  await screenshot(page, 'registration-form-phone');
  await choosePassword(page);
  await sampleApp(page);
});

test('somebody who has an account gets "welcome back", and its link signs in', async () => {
  const address = freshAddress('ada');
  const first = await browse();
  await first.goto(await invite(address));
  await choosePassword(first);
  await sampleApp(first);
  await register(address);
  const mail = await inbox.waitForMail(address, 2);
  expect(mail.subject).toMatch(/welcome back/i);
  const page = await browse();
  await page.goto(mail.links.find((link) => link.includes('/api/login'))!);
  await signIn(page, address);
  await sampleApp(page);
  const reset = await browse();
  await reset.goto(mail.links.find((link) => /reset/.test(link))!);
  expect(await reset.isVisible('#kc-reset-password-form')).toBe(true);
  await screenshot(reset, 'reset-password');
  await reset.fill('#username', address);
  await reset.click('#kc-reset-password-form [type=submit]');
  const resetMail = await inbox.waitForMail(address, 3);
  await reset.goto(resetMail.links.find((link) => link.includes('action-token'))!);
  await reset.fill('#password-new', 'another pass phrase');
  await reset.fill('#password-confirm', 'another pass phrase');
  await reset.click('[type=submit]');
  await sampleApp(reset);
});

test('somebody whose trial has ended gets "your trial ended" and no new trial', async () => {
  const address = freshAddress('ada');
  const page = await browse();
  await page.goto(await invite(address));
  await choosePassword(page);
  await sampleApp(page);
  await moveClock(18 * DAY_SECONDS);
  expect((await inbox.waitForMail(address, 2)).subject).toMatch(/is over/);
  // Past the pause between two mails to one mailbox.
  await moveClock(18 * DAY_SECONDS + 600);
  await register(address);
  const mail = await inbox.waitForMail(address, 3);
  expect(mail.subject).toMatch(/trial .*ended/i);
  expect(mail.links.some((link) => link.includes('invitation_token='))).toBe(false);
});

test('a spent link brings somebody who is signed out to sign-in, with one line saying so', async () => {
  const address = freshAddress('ada');
  const link = await invite(address);
  const first = await browse();
  await first.goto(link);
  await choosePassword(first);
  await sampleApp(first);
  const page = await browse();
  await page.goto(link);
  await screenshot(page, 'link-used-already');
  expect(await page.textContent('body')).toMatch(/already/);
  await signIn(page, address);
  await sampleApp(page);
});

test('a refused link says why and offers a new one', async () => {
  const page = await browse();
  await page.goto(`${stack().proxy}/api/login?invitation_token=${'A'.repeat(43)}`);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'link-refused');
  await page.click('a[href*="/trial/new-link"]');
  await page.waitForURL(`${stack().proxy}/trial/new-link**`);
  await page.fill('input[name=email]', freshAddress('nobody'));
  await page.click('main button.primary');
  await page.waitForURL(`${stack().proxy}/trial/check-email**`);
});

test('another person signed in here is named, and asked about', async () => {
  const page = await browse();
  await page.goto(await invite(freshAddress('bob')));
  await choosePassword(page);
  await sampleApp(page);
  const address = freshAddress('ada');
  await page.goto(await invite(address));
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'another-person');
  expect(await page.textContent('body')).toContain(address);
});

test('a lost authentication session ends at a page that starts the same invitation again', async () => {
  const address = freshAddress('ada');
  const page = await browse();
  await page.goto(await invite(address));
  const ours = (await page.context().cookies()).filter((cookie) => !/KC_|AUTH_SESSION|KEYCLOAK/.test(cookie.name));
  await page.context().clearCookies();
  await page.context().addCookies(ours);
  await choosePassword(page);
  await screenshot(page, 'session-lost');
  await page.click('a[href*="/api/login/resume"]');
  await screenshot(page, 'start-again');
  expect(await axe(page)).toEqual([]);
  await page.click('main button.primary');
  expect(await page.locator('#email').inputValue()).toBe(address);
});

test('"this wasn’t me" asks, then withdraws the invitation', async () => {
  const address = freshAddress('ada');
  const link = await invite(address);
  const page = await browse();
  await page.goto((await inbox.waitForMail(address)).links.find((one) => one.includes('/trial/not-me'))!);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'not-me');
  await page.click('main button.primary');
  await screenshot(page, 'not-me-done');
  await page.goto(link);
  expect(await page.textContent('body')).toMatch(/withdrawn|revoked/i);
});

test('a creation that fails shows the form again, filled, and works when tried again', async () => {
  const page = await browse();
  await page.goto(await invite(freshAddress('ada')));
  const resume = pause('bridge');
  try {
    await choosePassword(page);
    await page.waitForSelector('.pf-m-danger');
  } finally {
    resume();
  }
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'creation-failed');
  expect(await page.inputValue('#lastName')).toBe('Lovelace');
  await choosePassword(page);
  await sampleApp(page);
});

test('somebody whose address has an account by now is offered to sign in', async () => {
  const address = freshAddress('ada');
  const first = await invite(address);
  await register(address);
  const second = (await inbox.waitForMail(address, 2)).links.find((link) => link.includes('invitation_token='))!;
  expect(second).not.toBe(first);
  await keycloakAdmin().create('/users', { username: address, email: address, emailVerified: true, enabled: true, credentials: [{ type: 'password', value: PASSWORD }] });
  const page = await browse();
  await page.goto(second);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'account-exists');
  await page.click('main [type=submit]');
  await page.fill('#password', PASSWORD);
  await page.click('#kc-login');
  await sampleApp(page);
});

test.each([
  ['sign-up', '/trial'],
  ['check-email', '/trial/check-email'],
  ['new-link', '/trial/new-link'],
])('the page "%s" passes axe', async (name, path) => {
  const page = await browse();
  await page.goto(`${stack().proxy}${path}`);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, name);
});

test.each(['invitation', 'welcome_back', 'trial_ended'])('the mail "%s" can be looked at in development', async (kind) => {
  const page = await browse();
  const answer = await page.goto(`${stack().bridge}/dev/mails/app/${kind}/en`);
  expect(answer!.status()).toBe(200);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, `mail-${kind.replace('_', '-')}`);
});
