import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { loadProducts } from '../../platform/products.ts';
import { axe, launchBrowser, type TestBrowser } from '../support/browser.ts';
import { CLIENT } from './support/provider.ts';
import { startStand, type Stand, type StandOptions } from './support/stand.ts';

const TOKEN = 't'.repeat(43);
const INVITATION = 'i'.repeat(43);
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' };

/** The same site, with a part that its people may not see. */
const folder = mkdtempSync(join(tmpdir(), 'pages-'));
const withStaffOnly: NonNullable<StandOptions['sites']> = (url, provider, app) => {
  const file = join(folder, 'sites.yaml');
  const upstreams = `[{ to: '${app.url}' }, { path: /staff-only, to: '${app.url}', allow: { roles: [staff] } }]`;
  writeFileSync(file, `sites: [{ public_url: '${url}', issuer: '${provider.issuer}', client_id: ${CLIENT.id}, client_secret_variable: A_SECRET, upstreams: ${upstreams} }]`);
  return file;
};

let stand: Stand;
let browser: TestBrowser;
beforeAll(async () => {
  [stand, browser] = await Promise.all([startStand({ sites: withStaffOnly, products: [{ ...loadProducts('products.yaml')[0], provision: 'wait' }], env: { A_SECRET: CLIENT.secret } }), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await stand.stop();
  rmSync(folder, { recursive: true });
});
afterEach(() => browser.closePages());

const newPage = (options: BrowserContextOptions): Promise<Page> => browser.newPage({ baseURL: stand.url, ...options });

/** Somebody whose workspace is not there yet, on a page as it stands before it looks again. */
async function prepare(page: Page, sub: string): Promise<void> {
  const until = Math.floor(Date.now() / 1000) + 7_200;
  stand.provider.person = { ...ADA, sub, trial: { app: 'app-1', endsAt: until, accessUntil: until } };
  stand.bridge.feed.tell({ user_id: sub, trial_access_until: until, ready: false });
  await page.route('**/reports', async (route) => {
    const response = await route.fetch({ maxRedirects: 0 });
    const { refresh: _refresh, ...headers } = response.headers();
    await route.fulfill({ response, headers });
  });
  await page.goto('/api/login');
  stand.provider.person = ADA;
}

/** Each page, by the way one gets there. */
const PAGES: [name: string, open: (page: Page) => Promise<unknown>][] = [
  ['sign-up', (page) => page.goto('/trial')],
  ['sign-up with an error', async (page) => {
    await page.goto('/trial');
    await page.fill('#email', ' ');
    await page.locator('form').evaluate((form: { noValidate: boolean }) => { form.noValidate = true; });
    await page.click('form .primary');
    await page.waitForSelector('.error');
  }],
  ['check your e-mail', async (page) => {
    await page.goto('/trial');
    await page.fill('#email', 'a.rather.long.name.of.somebody@a-rather-long-company-name.example');
    await page.click('form .primary');
  }],
  ['new link', (page) => page.goto('/trial/new-link')],
  ['not me', (page) => page.goto(`/trial/not-me?t=${TOKEN}`)],
  ['not me, done', (page) => page.goto('/trial/not-me/done')],
  ['not for this account', async (page) => {
    await page.goto('/api/login');
    await page.goto('/staff-only/reports');
  }],
  ['nothing here', (page) => page.goto('/trial/nothing')],
  ['stale sign-in', (page) => page.goto('/api/callback?code=x&state=y')],
  ['signed out', (page) => page.goto('/api/logout/done')],
  ['sign out', async (page) => {
    await page.goto('/api/login');
    await page.goto('/api/logout');
  }],
  ['other person', async (page) => {
    await page.goto('/api/login');
    stand.provider.person = { sub: 'user-b', email: 'grace.brewster.murray.hopper@navy.example', name: 'Grace' };
    await page.goto('/api/login');
    stand.provider.person = ADA;
  }],
  ['a tab that waits', async (page) => {
    // As it stands before it looks again.
    await page.route('**/api/login/tab*', async (route) => {
      const response = await route.fetch({ maxRedirects: 0 });
      const { refresh: _refresh, ...headers } = response.headers();
      await route.fulfill({ response, headers });
    });
    await page.context().request.get('/api/login?next_page=/first', { maxRedirects: 0 });
    const second = await page.context().request.get('/api/login?next_page=/second', { maxRedirects: 0 });
    await page.goto(second.headers()['location'] ?? '');
    await page.waitForSelector('a[href*="here="]');
  }],
  ['being prepared', async (page) => {
    await prepare(page, 'user-waits');
    await page.goto('/reports');
    await page.waitForSelector('text=/prepared|préparons/');
  }],
  ['being prepared for too long', async (page) => {
    await prepare(page, 'user-waits-long');
    stand.clock.setOffset(61);
    await page.goto('/reports');
    stand.clock.setOffset(0);
    await page.waitForSelector('.request');
  }],
  ['resume', async (page) => {
    stand.provider.misbehave = { redirect: (query) => query.set('error', 'access_denied') };
    await page.goto(`/api/login?invitation_token=${INVITATION}`);
    stand.provider.misbehave = {};
    await page.goto('/api/login/resume');
  }],
];

/** What is seen at each size. */
const SIGHTS = [
  { viewport: PHONE, colorScheme: 'light' as const },
  { viewport: DESK, colorScheme: 'dark' as const },
];

describe.each(['en', 'fr'])('in %s', (locale) => {
  test.each(PAGES.filter((_page, at) => locale === 'fr' || at < 2))('%s passes axe, fits, and loads nothing that is refused', async (_page, open) => {
    const page = await newPage({ viewport: PHONE, locale });
    const refused: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) refused.push(message.text());
    });
    await open(page);
    for (const { viewport, colorScheme } of SIGHTS) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      expect(await axe(page, RULES)).toEqual([]);
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect(width).toBeLessThanOrEqual(viewport.width);
    }
    expect(refused).toEqual([]);
  });
});

describe('without JavaScript', () => {
  const NO_SCRIPT = { viewport: PHONE, javaScriptEnabled: false, locale: 'en' };

  test('one signs up, switching the language on the way without losing what was typed', async () => {
    const page = await newPage(NO_SCRIPT);
    await page.goto('/trial?next_page=/reports');
    await page.fill('#email', 'ada@example.com');
    await page.fill('#firstname', 'Ada');
    await page.getByRole('button', { name: 'Français' }).click();
    expect(await page.inputValue('#email')).toBe('ada@example.com');
    expect(await page.inputValue('#firstname')).toBe('Ada');
    await page.getByRole('button', { name: 'Envoyez-moi le lien' }).click();
    expect(new URL(page.url()).pathname).toBe('/trial/check-email');
    expect(await page.textContent('h1')).toBe('Consultez vos e-mails');
    expect(JSON.parse(stand.bridge.last().body)).toEqual({ username: 'ada@example.com', firstname: 'Ada', product: 'app', locale: 'fr', next_page: '/reports' });
  });

  test('Enter in a field sends the form, not the language switch', async () => {
    const page = await newPage(NO_SCRIPT);
    await page.goto('/trial');
    await page.fill('#email', 'enter@example.com');
    await page.press('#email', 'Enter');
    await page.waitForURL('**/trial/check-email');
    expect(JSON.parse(stand.bridge.last().body)).toMatchObject({ username: 'enter@example.com' });
  });

  test('"send it again" and "it wasn’t me" are one tap', async () => {
    const page = await newPage(NO_SCRIPT);
    await page.goto('/trial');
    await page.fill('#email', 'again@example.com');
    await page.click('form .primary');
    const before = stand.bridge.received.length;
    await page.getByRole('button', { name: 'Send it again' }).click();
    expect(stand.bridge.received).toHaveLength(before + 1);
    expect(JSON.parse(stand.bridge.last().body)).toMatchObject({ username: 'again@example.com' });
    await page.goto(`/trial/not-me?t=${TOKEN}`);
    await page.getByRole('button', { name: 'It wasn’t me: stop this' }).click();
    expect(new URL(page.url()).pathname).toBe('/trial/not-me/done');
  });

  test('forms that lead over Keycloak are let through by the policy: resume and sign out', async () => {
    const page = await newPage(NO_SCRIPT);
    stand.provider.misbehave = { redirect: (query) => query.set('error', 'access_denied') };
    await page.goto(`/api/login?invitation_token=${INVITATION}`);
    stand.provider.misbehave = {};
    await page.getByRole('link', { name: 'Open my invitation again' }).click();
    await page.getByRole('button', { name: 'Open the form again' }).click();
    expect(await page.textContent('body')).toBe('the app');
    await page.goto('/api/logout');
    await page.getByRole('button', { name: 'Sign out' }).click();
    expect(new URL(page.url()).pathname).toBe('/api/logout/done');
    await page.goto('/');
    expect(await page.textContent('body')).toBe('the app');
  });
});
