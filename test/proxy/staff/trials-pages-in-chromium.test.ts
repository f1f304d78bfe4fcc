import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { axe, launchBrowser, type TestBrowser } from '../../support/browser.ts';
import { GRACE } from '../support/staff.ts';
import { startStand, type Stand } from '../support/stand.ts';
import { answerTrials, ERASED, TRIAL, TRIAL_AT, type TrialAnswers } from '../support/trials.ts';

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const FUNNEL = '/staff/trials/funnel/?from=2026-11-01&to=2026-11-30';

let stand: Stand;
let trials: TrialAnswers;
let browser: TestBrowser;
beforeAll(async () => {
  [stand, browser] = await Promise.all([startStand({ staffHere: true }), launchBrowser()]);
  stand.provider.person = GRACE;
  trials = answerTrials(stand.bridge);
});
afterAll(async () => {
  await browser.close();
  await stand.stop();
});
beforeEach(() => trials.forget());
afterEach(() => browser.closePages());

const openForms = async (page: Page): Promise<void> => {
  for (const summary of await page.locator('summary').all()) await summary.click();
};
const send = async (page: Page, act: string, reason: string): Promise<void> => {
  await page.goto(TRIAL_AT);
  await page.click(`details:has(input[value=${act}]) summary`);
  await page.locator(`#${act}-reason`).fill(reason);
  await page.click(`form:has(input[value=${act}]) .primary`);
};

/** Each page, by the way one gets there. */
const PAGES: [name: string, open: (page: Page) => Promise<unknown>][] = [
  ['list', (page) => page.goto('/staff/trials/')],
  ['trial', (page) => page.goto(TRIAL_AT)],
  ['trial-opened', async (page) => {
    await page.goto(`${TRIAL_AT}?done=extend`);
    await openForms(page);
  }],
  ['erased', async (page) => {
    trials.answers('GET /api/trial/{id}', ERASED);
    await page.goto(TRIAL_AT);
    await openForms(page);
  }],
  ['erase', (page) => send(page, 'erase', 'Their letter of today.')],
  ['no-reason', (page) => send(page, 'revoke', ' ')],
  ['refused', async (page) => {
    trials.answers('POST /api/trial/{id}/revoke', { status: 409, problem: { code: 'impossible_transition', detail: 'No.' } });
    await send(page, 'revoke', 'They asked.');
  }],
  ['funnel', (page) => page.goto(FUNNEL)],
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
    for (const [viewport, colorScheme] of [[PHONE, 'light'], [DESK, 'dark'], [DESK, 'light']] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      expect(await axe(page, RULES)).toEqual([]);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(viewport.width);
      await look(page, `trials-${name}-${locale}-${viewport.width}-${colorScheme}`);
    }
    expect(refused).toEqual([]);
  });
});

test('without JavaScript: from the list to an erasure, which asks twice', async () => {
  const page = await browser.newPage({ baseURL: stand.url, viewport: PHONE, javaScriptEnabled: false, locale: 'en' });
  await page.goto('/staff/trials/');
  await page.fill('#search', 'ada@example.com');
  await page.click('form .primary');
  await page.getByRole('link', { name: String(TRIAL.username) }).click();
  await page.click('details:has(input[value=erase]) summary');
  await page.fill('#erase-reason', 'Their letter.');
  await page.getByRole('button', { name: 'Go on' }).click();
  expect(await page.textContent('h1')).toBe(`Erase ${TRIAL.username}?`);
  expect(trials.asked().some(({ call }) => call.startsWith('DELETE'))).toBe(false);
  await page.getByRole('button', { name: 'Erase for good' }).click();
  expect(await page.textContent('[role=status]')).toContain('Erasure was begun.');
  expect(trials.asked().find(({ call }) => call.startsWith('DELETE'))?.message).toEqual({ reason: 'Their letter.', actor: GRACE.sub });
});

async function look(page: Page, name: string): Promise<void> {
  const folder = process.env['STAFF_SCREENSHOTS'];
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}
