import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { axe, launchBrowser, screenshot, type TestBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { freshAddress } from '../support/person.ts';
import { inbox, logOf, queryDatabase, stack } from '../support/stack.ts';
import { invite, PASSWORD } from '../support/visitor.ts';

/** The one that drives these tests says that it has no head, as scanners do. */
const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';

let browser: TestBrowser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(() => browser.closePages());
afterAll(() => browser.close());

async function signUp(link: string): Promise<Page> {
  const page = await browser.newPage({ userAgent });
  await page.goto(`${stack().proxy}/trial?lang=en`);
  await page.goto(link);
  await page.fill('#firstName', 'Mary');
  await page.fill('#lastName', 'Somerville');
  await page.fill('#password', PASSWORD);
  await page.fill('#password-confirm', PASSWORD);
  await page.click('#kc-register-form [type=submit]');
  await page.waitForSelector('[data-testid="sample-app"]');
  return page;
}

async function signInAsStaff(page: Page): Promise<void> {
  await page.goto(`${stack().proxy}/staff/trials/`);
  await page.fill('#username', stack().staff.username);
  await page.fill('#password', stack().staff.password);
  await page.click('#kc-login');
  await page.waitForSelector('#search');
}

async function act(page: Page, name: string, reason: string, fields: Record<string, string> = {}): Promise<void> {
  await page.click(`details:has(input[value=${name}]) summary`);
  for (const [field, value] of Object.entries(fields)) await page.fill(`#${name}-${field}`, value);
  await page.fill(`#${name}-reason`, reason);
  await page.click(`form:has(input[value=${name}]) .primary`);
}

const timeline = async (page: Page) => (await page.locator('.timeline .what').allTextContents()).map((line) => line.trim());

test('staff sees what became of somebody, gives them more days, and erases them; nothing of them is left', async () => {
  const address = freshAddress('mary');
  const link = await invite(address, { firstname: 'Mary', lastname: 'Somerville', company: 'Royal Society' });
  for (const method of ['HEAD', 'GET']) await fetch(link, { method, redirect: 'manual', headers: { 'user-agent': 'SomeMailScanner/1.0' } });
  const person = await signUp(link);
  await person.goto(`${stack().proxy}/whoami`);
  const { userId } = JSON.parse((await person.textContent('body')) ?? '') as { userId: string };

  const staff = await browser.newPage();
  await signInAsStaff(staff);
  await staff.fill('#search', address);
  await staff.click('form .primary');
  expect(staff.url()).not.toContain(address.split('@')[0]);
  expect(await axe(staff)).toEqual([]);
  await staff.getByRole('link', { name: address }).click();
  await eventually(async () => {
    await staff.reload();
    const lines = await timeline(staff);
    return ['Signed in', 'Opened the link', 'The account is there'].every((one) => lines.includes(one));
  });
  const lines = await timeline(staff);
  expect(lines.filter((line) => line.includes('mail scanner'))).toHaveLength(1);
  expect(lines).toEqual(expect.arrayContaining(['Asked for a trial', 'E-mail sent: the invitation', 'Saw the registration form', 'Registered']));
  expect(await axe(staff)).toEqual([]);

  await act(staff, 'extend', 'Asked by telephone.', { days: '10' });
  expect(await staff.textContent('[role=status]')).toContain('The trial was extended.');
  expect((await timeline(staff)).some((line) => line.startsWith('Extended until') && line.includes('Asked by telephone.'))).toBe(true);
  await inbox.waitForMail(address, 2);
  await staff.setViewportSize({ width: 1280, height: 1400 });
  await screenshot(staff, 'staff-trial');

  const trial = new URL(staff.url()).pathname;
  const exported = await (await staff.context().request.get(`${stack().proxy}${trial}export`)).json() as Record<string, unknown>;
  expect(exported).toMatchObject({ account: { username: address }, sign_up_requests: [{ first_name: 'Mary', company: 'Royal Society' }] });

  await act(staff, 'erase', 'Their letter of today.');
  expect(await staff.textContent('h1')).toBe(`Erase ${address}?`);
  expect((await keycloakAdmin().get(`/users/${userId}`)).username).toBe(address);
  await staff.getByRole('button', { name: 'Erase for good' }).click();
  expect(await staff.textContent('[role=status]')).toContain('Erasure was begun.');
  expect(await staff.textContent('main')).toContain('This person was erased.');
  await expect(keycloakAdmin().get(`/users/${userId}`)).rejects.toThrow('404');
  await eventually(async () => (await Promise.all([address, 'Somerville'].map(placesOf))).flat().length === 0);
  // Told to whoever was away, for a month at most; by the proxy kept until no session could be left.
  expect(await placesOf(String(userId))).toEqual(['bridge.trial_change.user_id', 'proxy.trial_end.user_id']);

  // Their browser is out, and what they ask for anew gets no invitation.
  await eventually(async () => (await person.goto(`${stack().proxy}/whoami`))!.url().includes('/realms/'));
  for (const part of ['proxy', 'bridge'] as const) expect(logOf(part)).not.toContain(address);

  await staff.goto(`${stack().proxy}/staff/trials/funnel/`);
  expect(await staff.locator('svg.funnel').count()).toBe(2);
  expect(await axe(staff)).toEqual([]);
});

test('whoever is no staff sees nothing of it', async () => {
  const address = freshAddress('eve');
  const page = await signUp(await invite(address));
  const answer = await page.goto(`${stack().proxy}/staff/trials/`);
  expect(answer!.status()).toBe(403);
});

/** Columns of bridge, job queue and proxy that hold this text. */
async function placesOf(text: string): Promise<string[]> {
  const columns = await queryDatabase("select table_schema, table_name, column_name from information_schema.columns where table_schema in ('bridge', 'proxy', 'graphile_worker') order by 1, 2, 3");
  const places = [];
  for (const { table_schema: schema, table_name: table, column_name: column } of columns) {
    const found = await queryDatabase(`select 1 from "${String(schema)}"."${String(table)}" where "${String(column)}"::text ilike $1 limit 1`, [`%${text}%`]);
    if (found.length > 0) places.push(`${String(schema)}.${String(table)}.${String(column)}`);
  }
  return places;
}
