import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { axe, launchBrowser, screenshot, type TestBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { freshAddress } from '../support/person.ts';
import { queryDatabase, stack } from '../support/stack.ts';
import { invite, PASSWORD } from '../support/visitor.ts';

let browser: TestBrowser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(() => browser.closePages());
afterAll(() => browser.close());

test('a workspace is being prepared until the app has answered; the page leads into it by itself, without JavaScript', async () => {
  const address = freshAddress('held');
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto(await invite(address, { product: 'prepared' }));
  await page.fill('#firstName', 'Ada');
  await page.fill('#lastName', 'Lovelace');
  await page.fill('#password', PASSWORD);
  await page.fill('#password-confirm', PASSWORD);
  await page.click('#kc-register-form [type=submit]');
  await page.waitForSelector('text=Your workspace is being prepared');
  expect(new URL(page.url()).origin).toBe(stack().proxy);
  await screenshot(page, 'being-prepared');
  const { status } = await fetch(`${stack().app}/webhooks/release?username=${encodeURIComponent(address)}`, { method: 'POST' });
  expect(status).toBe(204);
  await page.waitForSelector('[data-testid="sample-app"]');
  await page.goto(`${stack().proxy}/told`);
  expect(await page.locator('tbody th').allTextContents()).toEqual(expect.arrayContaining(['trial.created', 'trial.confirmed']));
  const kinds = await eventually(async () => {
    const rows = await queryDatabase('select kind from bridge.life_event join bridge.life on life.id = life_id where address = $1 order by life_event.id', [address]);
    return rows.some(({ kind }) => kind === 'provisioned') && rows.map(({ kind }) => kind);
  });
  expect(kinds).toEqual(expect.arrayContaining(['invited', 'registered', 'confirmed', 'provisioned']));
});

test('what the sample app was told passes axe', async () => {
  const page = await browser.newPage();
  await page.goto(await invite(freshAddress('ada')));
  await page.fill('#firstName', 'Ada');
  await page.fill('#lastName', 'Lovelace');
  await page.fill('#password', PASSWORD);
  await page.fill('#password-confirm', PASSWORD);
  await page.click('#kc-register-form [type=submit]');
  await page.waitForSelector('[data-testid="sample-app"]');
  await eventually(async () => {
    await page.goto(`${stack().proxy}/told`);
    return (await page.locator('tbody tr').count()) === 2;
  });
  expect(await axe(page)).toEqual([]);
});
