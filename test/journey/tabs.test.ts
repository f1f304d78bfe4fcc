import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { createPerson, type Person } from '../support/person.ts';
import { stack } from '../support/stack.ts';

const HOUR_SECONDS = 3_600;
const LIMIT_MS = 40_000;
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

const atKeycloak = async (page: Page): Promise<boolean> => page.url().startsWith(stack().keycloak) && (await page.locator('#username').isVisible());

/** The tabs that show the sign-in page. */
async function signInPages(pages: readonly Page[], count: number): Promise<Page[]> {
  return eventually(async () => {
    const shown = await Promise.all(pages.map(atKeycloak));
    const found = pages.filter((_page, at) => shown[at]);
    return found.length >= count ? found : undefined;
  }, LIMIT_MS);
}

test('five tabs started at once all end where they wanted, when somebody signs in at the one that asks', async () => {
  const pages = await openTabs();
  const [asking] = await signInPages(pages, 1);
  await signIn(asking!);
  await Promise.all(pages.map(sampleApp));
  expect(pages.map((page) => page.url())).toEqual(TABS.map(wanted));
});

test('and when nobody did for a while, so that all of them ask', async () => {
  const pages = await openTabs();
  const [, , third] = await signInPages(pages, TABS.length);
  await signIn(third!);
  await Promise.all(pages.map(sampleApp));
  expect(pages.map((page) => page.url())).toEqual(TABS.map(wanted));
});

test('the sign-in page, whose address names no parameter, loaded again is still the sign-in page', async () => {
  const page = await browser.newPage();
  await page.goto(wanted(1));
  await page.waitForSelector('#username');
  await page.reload();
  await signIn(page);
  await sampleApp(page);
  expect(page.url()).toBe(wanted(1));
});
