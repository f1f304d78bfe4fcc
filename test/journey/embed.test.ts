import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { axe, launchBrowser, screenshot, type TestBrowser } from '../support/browser.ts';
import { freshAddress } from '../support/person.ts';
import { stack } from '../support/stack.ts';
import { invite, PASSWORD } from '../support/visitor.ts';

let browser: TestBrowser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(() => browser.closePages());
afterAll(() => browser.close());

/** In a browser of its own: nothing of it is left to the one with the frame. */
async function signUp(address: string): Promise<void> {
  const page = await browser.newPage();
  await page.goto(await invite(address));
  await page.fill('#firstName', 'Ada');
  await page.fill('#lastName', 'Lovelace');
  await page.fill('#password', PASSWORD);
  await page.fill('#password-confirm', PASSWORD);
  await page.click('#kc-register-form [type=submit]');
  await page.waitForSelector('[data-testid="sample-app"]');
}

test("a page of another site shows a person's small app in a frame, and the frame opens nothing else", async () => {
  const address = freshAddress('ada');
  await signUp(address);
  const page = await browser.newPage();
  await page.goto(`${stack().embedDemo}/`);
  await page.click(`text=${address}`);
  const frame = page.frameLocator('iframe[name="embed"]');
  await frame.locator('[data-testid="sample-app"]').waitFor();
  expect(await frame.locator('body').textContent()).toContain('This is your small app');
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'embed');
  const shown = page.frames().find((one) => one.url().includes('/embed/'));
  expect(new URL(shown!.url()).origin).toBe(stack().proxy);
  // The same person's own pages know nothing of it.
  const answer = await page.goto(`${stack().proxy}/api/session`);
  expect(await answer!.json()).toMatchObject({ authenticated: false });
});
