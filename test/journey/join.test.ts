import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { axe, launchBrowser, screenshot, type TestBrowser } from '../support/browser.ts';
import { runDoctor } from '../support/doctor.ts';
import { eventually } from '../support/eventually.ts';
import { freshAddress } from '../support/person.ts';
import { moveClock, queryDatabase, stack } from '../support/stack.ts';
import { invite, offerTo, PASSWORD } from '../support/visitor.ts';

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

const sampleApp = (page: Page) => page.waitForSelector('[data-testid="sample-app"]');

/** Somebody with a trial of the lab, made in a browser that is closed again. */
async function ofTheLab(): Promise<string> {
  const address = freshAddress('joins');
  const page = await browser.newPage();
  await page.goto(await invite(address, { product: 'lab' }));
  await page.fill('#firstName', 'Ada');
  await page.fill('#lastName', 'Lovelace');
  await page.fill('#password', PASSWORD);
  await page.fill('#password-confirm', PASSWORD);
  await page.fill('[name="attributes.team"]', 'Engines');
  await page.check('[type=checkbox][name="consents.terms"]');
  await page.click('#kc-register-form [type=submit]');
  await sampleApp(page);
  await browser.closePages();
  return address;
}

test('somebody with an account begins another product by its mail, with their password, and the end of one leaves the other alone', async () => {
  const address = await ofTheLab();
  const link = await offerTo(address, 2);
  const page = await browser.newPage();
  await page.goto(link);
  expect(await page.textContent('main')).toContain(address);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'join');
  await page.click('button[value=fr]');
  expect(await page.textContent('h1')).toBe('Commencez votre essai de Vestibule sample app');
  expect(await axe(page)).toEqual([]);
  await page.click('main button.primary');
  await page.fill('#username', address);
  await page.fill('#password', PASSWORD);
  await page.click('#kc-login');
  await sampleApp(page);
  await page.goto(`${stack().proxy}/whoami`);
  const { userId, trialApp } = JSON.parse((await page.textContent('body')) ?? '') as { userId: string; trialApp: string };
  expect(trialApp).toMatch(/^[0-9a-f-]{36}$/);

  await page.goto(link);
  expect(await page.textContent('h1')).toBe('Your trial has begun');
  expect(await axe(page)).toEqual([]);
  await eventually(async () => (await runDoctor('consistency')).findings.every(({ subject }) => !subject.includes(userId)), 30_000);

  // The lab's seven days are over, the app's fourteen are not.
  await moveClock(8 * DAY_SECONDS);
  await eventually(async () => (await queryDatabase('select product from bridge.life where user_id = $1 and state = $2', [userId, 'expired'])).map(({ product }) => product).join() === 'lab', 30_000);
  expect((await page.goto(`${stack().proxy}/whoami`))?.status()).toBe(200);
  const later = await browser.newPage();
  await later.goto(`${stack().proxy}/`);
  await later.fill('#username', address);
  await later.fill('#password', PASSWORD);
  await later.click('#kc-login');
  await sampleApp(later);
});

test('whoever is signed in with another account is told so, and how to go on', async () => {
  const [address, other] = [await ofTheLab(), await ofTheLab()];
  const link = await offerTo(address, 2);
  const page = await browser.newPage();
  await page.goto(`${stack().proxy}/`);
  await page.fill('#username', other);
  await page.fill('#password', PASSWORD);
  await page.click('#kc-login');
  await sampleApp(page);
  await page.goto(link);
  await page.click('main button.primary');
  expect(await page.textContent('main')).toContain(`You are signed in here as ${other}`);
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'join-other-account');
  await page.click('main a[href="/api/logout"]');
  await page.click('main button.primary');
  await page.waitForURL(`${stack().proxy}/api/logout/done**`);
  await page.goto(link);
  await page.click('main button.primary');
  await page.fill('#username', address);
  await page.fill('#password', PASSWORD);
  await page.click('#kc-login');
  await sampleApp(page);
  expect(await queryDatabase("select product from bridge.life where address = any($1) and state = 'active' and product = 'app'", [[address, other]])).toHaveLength(1);
});
