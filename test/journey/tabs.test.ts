import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { createPerson, type Person } from '../support/person.ts';
import { stack } from '../support/stack.ts';

const HOUR_SECONDS = 3_600;
const TABS = [1, 2, 3, 4, 5];
let browser: TestBrowser;
let person: Person;

beforeAll(async () => {
  browser = await launchBrowser();
  person = await createPerson(['vestibule-proxy'], HOUR_SECONDS);
});
afterEach(() => browser.closePages());
afterAll(() => browser.close());

async function signIn(page: Page): Promise<void> {
  await page.fill('#username', person.username);
  await page.fill('#password', person.password);
  await page.click('#kc-login');
}

const wanted = (tab: number): string => `${stack().proxy}/?tab=${tab}`;
const sampleApp = (page: Page) => page.waitForSelector('[data-testid="sample-app"]');

async function openTabs(): Promise<Page[]> {
  const first = await browser.newPage();
  const others = await Promise.all(TABS.slice(1).map(() => first.context().newPage()));
  const pages = [first, ...others];
  await Promise.all(pages.map((page, at) => page.goto(wanted(TABS[at] ?? 0))));
  return pages;
}

test('five tabs started at once all end where they wanted, when one signs in and the others are loaded again', async () => {
  const pages = await openTabs();
  const [first, ...others] = pages as [Page, ...Page[]];
  await signIn(first);
  await sampleApp(first);
  for (const page of others) {
    await page.reload();
    await sampleApp(page);
  }
  expect(pages.map((page) => page.url())).toEqual(TABS.map(wanted));
});

test('and when somebody signs in at each of them', async () => {
  const pages = await openTabs();
  for (const page of pages) {
    if (page.url().startsWith(stack().keycloak)) await signIn(page).catch(() => {});
    await sampleApp(page);
  }
  expect(pages.map((page) => page.url())).toEqual(TABS.map(wanted));
});

test('the sign-in page loaded again is still the sign-in page', async () => {
  const page = await browser.newPage();
  await page.goto(wanted(1));
  await page.reload();
  await signIn(page);
  await sampleApp(page);
  expect(page.url()).toBe(wanted(1));
});
