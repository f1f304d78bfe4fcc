import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { axe, launchBrowser, type TestBrowser } from '../../support/browser.ts';
import { PLACE, UUID, type BillingStand } from '../support/billing.ts';
import { AT, FREE_READ, SERVER_READ, startStaffStand } from '../support/staff.ts';

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const HOME = '/staff/billing/';
const MANY = Array.from({ length: 6 }, (_one, index) => ({ kind: index % 2 ? 'server' : 'realm', uuid: UUID, server_uuid: UUID, host: `a-rather-long-name-${index}.department.university.example`, name: index % 2 ? '' : PLACE.name, deactivated: index === 3, matched: ['host'] }));

let stand: BillingStand;
let browser: TestBrowser;
beforeAll(async () => {
  [stand, browser] = await Promise.all([startStaffStand(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await stand.stop();
});
beforeEach(() => stand.forget());
afterEach(() => browser.closePages());

const search = async (page: Page): Promise<void> => {
  await page.goto(HOME);
  await page.fill('#query', 'university');
  await page.click('form .primary');
};
const press = (act: string) => async (page: Page): Promise<void> => {
  await page.goto(AT);
  await page.click(`form:has(input[value=${act}]) button`);
};

/** Each page, by the way one gets there. */
const PAGES: [name: string, open: (page: Page) => Promise<unknown>][] = [
  ['home', (page) => page.goto(HOME)],
  ['found', async (page) => {
    stand.answers('support/search', { result: 'found', hits: MANY, more: true });
    await search(page);
  }],
  ['nothing', async (page) => {
    stand.answers('support/search', { result: 'found', hits: [], more: false });
    await search(page);
  }],
  ['realm', (page) => page.goto(AT)],
  ['realm-opened', async (page) => {
    await page.goto(AT);
    for (const summary of await page.locator('summary').all()) await summary.click();
  }],
  ['free', async (page) => {
    stand.answers('support/read', FREE_READ);
    await page.goto(`${AT}?done=end_back&invoice=7`);
    for (const summary of await page.locator('summary').all()) await summary.click();
  }],
  ['server', (page) => {
    stand.answers('support/read', { ...SERVER_READ, server: { ...SERVER_READ.server, deactivated: true } });
    return page.goto(`/staff/billing/server/${UUID}/`);
  }],
  ['end', press('end_back')],
  ['seats', async (page) => {
    await page.goto(AT);
    await page.click('summary');
    await page.click('form:has(#new-seats) button');
  }],
  ['no-reason', async (page) => {
    await press('unschedule')(page);
    await page.fill('#reason', ' ');
    await page.click('form .primary');
  }],
  ['refused', async (page) => {
    stand.answers('support/plan/unschedule', { status: 409, problem: { code: 'not_possible', detail: 'It is not as it was shown, or not to be had like that: read it again.' } });
    await press('unschedule')(page);
    await page.fill('#reason', 'They asked.');
    await page.click('form .primary');
  }],
  ['not-staff', async (page) => {
    stand.provider.person = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada' };
    await page.goto(HOME);
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
      await look(page, `staff-${name}-${locale}-${colorScheme}`);
    }
    expect(refused).toEqual([]);
  });
});

test('without JavaScript: from the search to an act, and done', async () => {
  const page = await browser.newPage({ baseURL: stand.url, viewport: PHONE, javaScriptEnabled: false, locale: 'en' });
  await search(page);
  await page.getByRole('link', { name: PLACE.name }).click();
  expect(new URL(page.url()).pathname).toBe(AT);
  await page.click('summary');
  await page.fill('#new-seats', '40');
  await page.getByRole('button', { name: 'Show what will happen' }).first().click();
  expect(await page.textContent('main')).toContain('€151.20');
  await page.fill('#reason', 'They asked.');
  await page.getByRole('button', { name: 'Do it' }).click();
  expect(await page.textContent('[role=status]')).toContain('Done.');
  expect(stand.asked().find(({ step }) => step === 'support/plan/seats')?.message).toMatchObject({ seats: 40, total: 15_120, reason: 'They asked.' });
});

async function look(page: Page, name: string): Promise<void> {
  const folder = process.env['BILLING_SCREENSHOTS'];
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}
