import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { axe, launchBrowser, type TestBrowser } from '../../support/browser.ts';
import { ADA, ANSWERS, BACK, CONFIRM, INVOICE, PAYING, PLACE, startBillingStand, SUPPORT, TOKEN, UUID, type BillingStand } from '../support/billing.ts';

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const LOGIN = `/remote-billing-login/${TOKEN}`;
const UNVERIFIED = { ...PLACE, host: 'a-rather-long-name-of-a-server.department.university.example', host_verified: false };
const BOB = { id: '33333333-2222-4333-8444-555555555555', email: 'bob.of.a.long.name@department.university.example', full_name: 'Bob', state: 'confirmed', date_joined: 0, last_login: null, you: false };

let stand: BillingStand;
let browser: TestBrowser;
beforeAll(async () => {
  [stand, browser] = await Promise.all([startBillingStand(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await stand.stop();
});
beforeEach(() => stand.forget());
afterEach(() => browser.closePages());

async function signIn(page: Page): Promise<void> {
  stand.answers('login/open', CONFIRM);
  await page.goto(LOGIN);
  await page.check('#tos_consent');
  await page.click('form .primary');
  await page.waitForURL(`**/${UUID}/plans/`);
}

/** From here on the sign-in is for a whole server. */
function ofServer(): void {
  const place = { ...PLACE, kind: 'server' };
  stand.answers('login/complete', { ...ANSWERS['login/complete'], place, next_path: `/server/${UUID}/plans/` });
  stand.answers('session/read', { result: 'live', user: ADA, place, ends_at: ANSWERS['session/read'].ends_at });
}

/** Each page, by the way one gets there. */
const PAGES: [name: string, open: (page: Page) => Promise<unknown>][] = [
  ['email', (page) => page.goto(LOGIN)],
  ['email-refused', async (page) => {
    stand.answers('login/mail', { status: 400, problem: { code: 'invalid_request', detail: 'email: no', field: 'email' } });
    await page.goto(LOGIN);
    await page.click('form .primary');
    await page.waitForSelector('.error');
  }],
  ['check-email', async (page) => {
    await page.goto(LOGIN);
    await page.click('form .primary');
    await page.waitForSelector('.facts');
  }],
  ['confirm', (page) => {
    stand.answers('login/open', { ...CONFIRM, place: UNVERIFIED, replaces: { email: BOB.email, full_name: 'Bob', place: PLACE } });
    return page.goto(LOGIN);
  }],
  ['server-login', (page) => page.goto('/serverlogin/')],
  ['spent', (page) => {
    stand.answers('login/open', { result: 'refused', reason: 'spent', login_url: BACK, support_url: SUPPORT });
    return page.goto(LOGIN);
  }],
  ['nobody', (page) => page.goto(`/realm/${UUID}/plans/`)],
  ['place', async (page) => {
    await signIn(page);
    stand.answers('users/list', { result: 'users', users: [{ ...ADA, state: 'confirmed', date_joined: 0, last_login: 0, you: true }, BOB] });
    await page.goto(`/realm/${UUID}/billing/`);
  }],
  ...(['plans', 'upgrade', 'sponsorship'] as const).map((name): [string, (page: Page) => Promise<unknown>] => [name, async (page) => {
    await signIn(page);
    await page.goto(`/realm/${UUID}/${name}/`);
  }]),
  ['quote', async (page) => {
    await signIn(page);
    await page.goto(`/realm/${UUID}/upgrade/?type=basic`);
    await page.click('main button.primary');
    await page.waitForSelector('dl');
  }],
  ['billing-with-plan', async (page) => {
    await signIn(page);
    stand.answers('account/read', PAYING);
    await page.goto(`/realm/${UUID}/billing/?note=begun`);
  }],
  ['seats-quote', async (page) => {
    await signIn(page);
    stand.answers('account/read', PAYING);
    await page.goto(`/realm/${UUID}/billing/`);
    await page.fill('#seats', '40');
    await page.click('form.row button');
    await page.waitForSelector('input[name=total]', { state: 'attached' });
  }],
  ['details-refused', async (page) => {
    await signIn(page);
    stand.answers('account/save', { status: 400, problem: { code: 'invalid_request', detail: 'no', field: 'invoice_recipients.0' } });
    await page.goto(`/realm/${UUID}/billing/`);
    await page.fill('#invoice_recipients', 'nobody');
    await page.click('form .primary');
    await page.waitForSelector('.error');
  }],
  ['upgrade-not-to-be-had', async (page) => {
    await signIn(page);
    stand.answers('account/read', PAYING);
    stand.answers('plan/quote', { result: 'changed' });
    await page.goto(`/realm/${UUID}/upgrade/?type=basic`);
    await page.check('#when-now');
    await page.click('main button.primary');
    await page.waitForSelector('.alert');
  }],
  ['sponsorship-pending', async (page) => {
    await signIn(page);
    stand.answers('account/read', { ...ANSWERS['account/read'], sponsorship: { state: 'pending', requested_plan: 'community', requested_at: 0 } });
    await page.goto(`/realm/${UUID}/sponsorship/?note=asked`);
  }],
  ['deactivate', async (page) => {
    ofServer();
    await signIn(page);
    await page.goto(`/server/${UUID}/deactivate/`);
  }],
  ['invoice', async (page) => {
    await signIn(page);
    stand.answers('invoice/read', INVOICE);
    await page.goto(`/realm/${UUID}/invoices/7`);
  }],
  ['sign-out', async (page) => {
    await signIn(page);
    await page.goto('/remote-billing-login/sign-out');
  }],
];

describe.each(['en', 'fr'])('in %s', (locale) => {
  test.each(PAGES)('%s passes axe, fits, and loads nothing that is refused', async (name, open) => {
    const page = await browser.newPage({ baseURL: stand.url, viewport: PHONE, locale });
    const refused: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) refused.push(message.text());
    });
    await open(page);
    expect(await page.getAttribute('html', 'lang')).toBe(locale);
    for (const [viewport, colorScheme] of [[PHONE, 'light'], [DESK, 'dark']] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      expect(await axe(page, RULES)).toEqual([]);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(viewport.width);
      await look(page, `${name}-${locale}-${colorScheme}`);
    }
    expect(refused).toEqual([]);
  });
});

test('an invoice prints on one sheet, as a document: no navigation, black on white, whatever the screen shows', async () => {
  const page = await browser.newPage({ baseURL: stand.url, viewport: DESK, locale: 'en', colorScheme: 'dark' });
  await signIn(page);
  stand.answers('invoice/read', INVOICE);
  await page.goto(`/realm/${UUID}/invoices/7`);
  const pdf = await page.pdf({ format: 'A4' });
  expect([...pdf.toString('latin1').matchAll(/\/Type\s*\/Page\b/g)]).toHaveLength(1);
  await page.emulateMedia({ media: 'print' });
  for (const hidden of ['.top', '.foot', '.aside']) expect(await page.isVisible(hidden)).toBe(false);
  const colours = await page.evaluate<string[]>("[getComputedStyle(document.body).color, getComputedStyle(document.querySelector('.card')).backgroundColor, getComputedStyle(document.querySelector('dd')).color]");
  expect(colours).toEqual(['rgb(0, 0, 0)', 'rgba(0, 0, 0, 0)', 'rgb(0, 0, 0)']);
  const folder = process.env['BILLING_SCREENSHOTS'];
  if (folder) writeFileSync(`${folder}/invoice.pdf`, pdf);
});

test('without JavaScript: the language is switched on the way, and what was typed and ticked stays', async () => {
  stand.answers('login/open', CONFIRM);
  const page = await browser.newPage({ baseURL: stand.url, viewport: PHONE, javaScriptEnabled: false, locale: 'en' });
  await page.goto(LOGIN);
  await page.fill('#full_name', 'Ada King');
  await page.check('#tos_consent');
  await page.check('#enable_major_release_emails');
  await page.getByRole('button', { name: 'Français' }).click();
  expect([await page.inputValue('#full_name'), await page.isChecked('#tos_consent'), await page.isChecked('#enable_major_release_emails')]).toEqual(['Ada King', true, true]);
  await page.getByRole('button', { name: 'Confirmer la connexion' }).click();
  expect(new URL(page.url()).pathname).toBe(`/realm/${UUID}/plans/`);
  expect(stand.asked().find(({ step }) => step === 'login/complete')?.message).toMatchObject({ full_name: 'Ada King', accepted_terms: '1.0', major_release_mails: true });
});

async function look(page: Page, name: string): Promise<void> {
  const folder = process.env['BILLING_SCREENSHOTS'];
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}
