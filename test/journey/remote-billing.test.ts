import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { axe, launchBrowser, PHONE, type TestBrowser } from '../support/browser.ts';
import { createPerson, freshAddress } from '../support/person.ts';
import { inbox, logOf, pause, queryDatabase, stack } from '../support/stack.ts';

let browser: TestBrowser;

beforeAll(async () => {
  browser = await launchBrowser();
});
// A client may ask for five mails a day, and all tests are one client.
beforeEach(() => queryDatabase("update bridge.billing_login_request set requested_at = requested_at - interval '1 day'"));
afterEach(() => browser.closePages());
afterAll(() => browser.close());

const browse = (options?: BrowserContextOptions): Promise<Page> => browser.newPage(options);
const CONFIRM = 'input[name=full_name]';

/** On the self-hosted server, as somebody who lives there. */
async function liveAs(page: Page, id: string): Promise<void> {
  await page.goto(`${stack().selfHosted}/`);
  await page.click(`button[name=as][value=${id}]`);
}

async function linkTo(address: string, count = 1): Promise<string> {
  const mail = await inbox.waitForMail(address, count);
  return mail.links.find((one) => one.includes('do_confirm'))!;
}

async function confirm(page: Page): Promise<void> {
  await page.waitForSelector(CONFIRM);
  if (await page.isVisible('#tos_consent')) await page.check('#tos_consent');
  await page.click('form .primary');
  await page.waitForURL(/\/(realm|server)\/[0-9a-f-]{36}\/\w+\/$/);
}

/** From "Billing" to billing, with the mail where this person needs one. */
async function signIn(page: Page, id: string, nextPage?: string): Promise<void> {
  await liveAs(page, id);
  await page.goto(`${stack().selfHosted}/self-hosted-billing/${nextPage === undefined ? '' : `?next_page=${nextPage}`}`);
  if (await page.isVisible('input[name=email]')) {
    const address = freshAddress(id);
    await page.fill('input[name=email]', address);
    await page.click('form .primary');
    await page.goto(await linkTo(address));
  }
  await confirm(page);
}

const signedInAs = (page: Page) => page.textContent('.aside');

test('the ten steps of a new person on a phone without JavaScript, and the shorter way of a returning one', async () => {
  const address = freshAddress('hedy');
  const page = await browse({ ...PHONE, javaScriptEnabled: false });
  await liveAs(page, 'hedy');
  await look(page, '1-server');
  await page.click('a[href="/self-hosted-billing/"]');
  expect(new URL(page.url()).pathname).toMatch(/^\/remote-billing-login\/[\w.-]+$/);
  expect(await page.inputValue('input[name=email]')).toBe('hedy@selfhosted.example');
  await look(page, '4-email');
  await page.fill('input[name=email]', address);
  await page.click('form .primary');
  expect(await page.textContent('main')).toContain(address);
  await look(page, '6-check-email');

  // Before the person, a scanner looks at every link of the mail twice.
  const link = await linkTo(address);
  for (const one of (await inbox.waitForMail(address)).links.filter((address) => address.startsWith('http'))) {
    for (const method of ['HEAD', 'GET', 'HEAD', 'GET']) expect([method, (await fetch(one, { method })).status]).toEqual([method, 200]);
  }

  const other = await browse();
  await other.goto(link);
  expect(await other.inputValue(CONFIRM)).toBe('Hedy Lamarr');
  await look(other, '9-confirm');
  expect(await axe(other)).toEqual([]);
  // Required by the form, and by the bridge where a form has not asked.
  await other.locator('form').evaluate((form: { noValidate: boolean }) => { form.noValidate = true; });
  await other.click('form .primary');
  expect(await other.textContent('.error')).toContain('terms');
  await other.fill(CONFIRM, 'Hedwig Kiesler');
  await other.check('#tos_consent');
  await other.click('form .primary');
  // By plan: the realm may have one, where another test ran before.
  await other.waitForURL(/\/realm\/[0-9a-f-]{36}\/(plans|billing)\/$/);
  expect(await signedInAs(other)).toContain(`Hedwig Kiesler (${address})`);
  await look(other, '10-plans');
  expect(await axe(other)).toEqual([]);

  // The link has done its work, and says so.
  await page.goto(link);
  expect(await page.textContent('h1')).toBe('This link was used already');
  await page.getByRole('link', { name: 'Back to your server' }).click();
  expect(await page.inputValue(CONFIRM)).toBe('Hedwig Kiesler');
  expect(await page.isVisible('#tos_consent')).toBe(false);
  await page.click('form .primary');
  expect(new URL(page.url()).pathname).toMatch(/\/(plans|billing)\/$/);
  expect((await inbox.messages()).filter(({ to }) => to === address)).toHaveLength(1);

  for (const part of ['proxy', 'bridge'] as const) expect(logOf(part)).not.toContain(link.split('/').at(-1)!.split('?')[0]);
});

test('a session that is over leads back to the server, and from there to the page that was wanted', async () => {
  const page = await browse();
  await signIn(page, 'ada');
  const [, uuid] = /\/realm\/([0-9a-f-]{36})\//.exec(page.url())!;
  await queryDatabase("update bridge.billing_session set ends_at = now() - interval '1 second'");
  await page.goto(`${stack().proxy}/realm/${uuid}/sponsorship/`);
  await page.waitForSelector(CONFIRM);
  await confirm(page);
  expect(page.url()).toBe(`${stack().proxy}/realm/${uuid}/sponsorship/`);
});

test('two people of one realm sign in side by side, see each other, and one is named before the other takes a browser', async () => {
  const [ada, grace] = [await browse(), await browse()];
  await signIn(ada, 'ada', 'billing');
  await signIn(grace, 'grace', 'billing');
  expect(new URL(ada.url()).pathname).toBe(new URL(grace.url()).pathname);
  await ada.reload();
  expect(await ada.textContent('.people')).toContain('Grace Hopper');
  expect(await signedInAs(ada)).toContain('Ada Lovelace');
  expect(await signedInAs(grace)).toContain('Grace Hopper');

  await liveAs(ada, 'grace');
  await ada.goto(`${stack().selfHosted}/self-hosted-billing/?next_page=billing`);
  expect(await ada.textContent('main')).toMatch(/In this browser ada\S+ is signed in for Analytical Society/);
  await look(ada, 'wrong-person');
  await confirm(ada);
  expect(await signedInAs(ada)).toContain('Grace Hopper');
});

/** On the page that asks for a server's id and key. */
async function askForMail(page: Page, id: string, key: string, address: string): Promise<void> {
  await page.fill('#zulip_org_id', id);
  await page.fill('#zulip_org_key', key);
  await page.click('form .primary');
  await page.fill('input[name=email]', address);
  await page.click('form .primary');
}

test('a link of a mail that is too old says so, and the next one ends on the wanted page', async () => {
  const [late, again] = [freshAddress('late'), freshAddress('again')];
  const page = await browse();
  await page.goto(`${stack().selfHosted}/`);
  const [id, key] = [(await page.textContent('#server-id'))!, (await page.textContent('#server-key'))!];
  await page.goto(`${stack().proxy}/serverlogin/?next_page=sponsorship`);
  await askForMail(page, id, key, late);
  const link = await linkTo(late);
  await queryDatabase(`update bridge.billing_mail_token set expires_at = now() - interval '1 second' where mail_id in (select id from bridge.billing_mail where address = '${late}')`);
  await page.goto(link);
  expect(await page.textContent('h1')).toBe('This link has expired');
  expect(await axe(page)).toEqual([]);
  await look(page, 'expired');
  await page.goto(`${stack().proxy}/serverlogin/?next_page=sponsorship`);
  await askForMail(page, id, key, again);
  await page.goto(await linkTo(again));
  await confirm(page);
  expect(page.url()).toBe(`${stack().proxy}/server/${id}/sponsorship/`);
});

test('a whole server: id and key, a mail, a session of its own that opens no realm', async () => {
  const address = freshAddress('operator');
  const page = await browse();
  await page.goto(`${stack().selfHosted}/`);
  const [id, key] = [(await page.textContent('#server-id'))!, (await page.textContent('#server-key'))!];
  await page.goto(`${stack().proxy}/serverlogin/?next_page=billing`);
  expect(await axe(page)).toEqual([]);
  await page.fill('#zulip_org_id', id);
  await page.fill('#zulip_org_key', `${key.slice(1)}0`);
  await page.click('form .primary');
  expect(await page.textContent('.alert')).toContain('don’t open anything');
  await look(page, 'serverlogin-refused');
  await askForMail(page, id, key, address);
  await page.goto(await linkTo(address));
  await confirm(page);
  expect(page.url()).toBe(`${stack().proxy}/server/${id}/billing/`);
  await look(page, 'server-billing');

  const realm = await page.goto(`${stack().proxy}/realm/${id}/billing/`);
  expect(realm!.status()).toBe(401);
  await page.goto(`${stack().proxy}/remote-billing-login/sign-out`);
  await page.click('form .primary');
  const after = await page.goto(`${stack().proxy}/server/${id}/billing/`);
  expect(after!.status()).toBe(401);
  await look(page, 'signed-out-page');
});

test('from the price list to a plan, its invoice, and a change of mind', async () => {
  const page = await browse();
  await signIn(page, 'grace', 'plans');
  await page.getByRole('link', { name: 'Choose Basic' }).click();
  await look(page, 'upgrade');
  await page.fill('#seats', '12');
  await page.check('#period-month');
  await page.click('main button.primary');
  // 12 seats of 3.50, and 20 % of that.
  expect(await page.textContent('dl')).toMatch(/€42\.00[\s\S]*€8\.40[\s\S]*€50\.40/);
  expect(await axe(page)).toEqual([]);
  await look(page, 'quote');
  await page.getByRole('button', { name: 'Agree and pay €50.40' }).click();
  expect(await page.textContent('[role=status]')).toContain('Your plan has begun');
  await page.fill('#legal_name', 'Analytical Society');
  await page.fill('#invoice_recipients', 'books@selfhosted.example');
  await page.getByRole('button', { name: 'Save' }).click();
  expect([await page.textContent('[role=status]'), await page.inputValue('#legal_name')]).toEqual(['Saved.', 'Analytical Society']);
  expect(await axe(page)).toEqual([]);
  await look(page, 'billing');
  await page.getByRole('button', { name: 'Let it end with the period' }).click();
  expect(await page.textContent('dl')).toContain('Ends on');
  await page.getByRole('button', { name: 'Renew it after all' }).click();
  expect(await page.textContent('dl')).toContain('Renews on');
  await page.click('table a');
  expect(await page.textContent('main')).toMatch(/Invoice \d+[\s\S]*€50\.40/);
  expect(await axe(page)).toEqual([]);
  await look(page, 'invoice');

  const uuid = /\/realm\/([0-9a-f-]{36})\//.exec(page.url())![1];
  await page.goto(`${stack().proxy}/realm/${uuid}/sponsorship/`);
  await page.fill('#organization_type', 'Learned society');
  await page.fill('#expected_users', '200');
  await page.fill('#description', 'We analyse.');
  await page.click('main button.primary');
  expect(await page.textContent('main')).toContain('You asked for Community');
  expect(await axe(page)).toEqual([]);
  await look(page, 'sponsorship');
});

/** At "Confirm login", whether or not this person needed a mail. */
async function toConfirm(page: Page, id: string): Promise<void> {
  await signIn(page, id);
  await page.goto(`${stack().selfHosted}/self-hosted-billing/?next_page=plans`);
  await page.waitForSelector(CONFIRM);
}

async function sessions(): Promise<number> {
  return Number((await queryDatabase('select count(*) as n from bridge.billing_session'))[0]!['n']);
}

test('one form posted fifty times at once makes one session', async () => {
  const page = await browse();
  await toConfirm(page, 'ada');
  const form = { form_token: await page.inputValue('input[name=form_token]'), full_name: 'Ada Lovelace', tos_consent: '1.0' };
  const before = await sessions();
  const post = () => page.request.post(page.url(), { form, headers: { origin: stack().proxy }, maxRedirects: 0 });
  const answers = await Promise.all(Array.from({ length: 50 }, post));
  expect(new Set(answers.map((answer) => answer.status()))).toEqual(new Set([303]));
  expect(await sessions()).toBe(before + 1);
});

test('the bridge stops in the middle of a sign-in: that is said, and the same form goes on', async () => {
  const page = await browse();
  await toConfirm(page, 'grace');
  const resume = pause('bridge');
  try {
    await page.click('form .primary');
    await page.waitForSelector('.request', { timeout: 20_000 });
    await look(page, 'bridge-away');
  } finally {
    resume();
  }
  await page.goBack();
  await confirm(page);
  expect(await signedInAs(page)).toContain('Grace Hopper');
});

/** Of the staff, on the support page of whoever has this address. */
async function asStaff(page: Page, address: string): Promise<void> {
  const { staff, proxy } = stack();
  await page.goto(`${proxy}/staff/`);
  await page.fill('#username', staff.username);
  await page.fill('#password', staff.password);
  await page.click('#kc-login');
  await page.fill('#query', address);
  await page.click('form .primary');
  expect(page.url()).not.toContain(address);
  await page.getByRole('link', { name: 'Analytical Society' }).click();
}

/** Presses a button, reads what will happen, says why, and it is done. */
async function act(page: Page, button: string, says: RegExp): Promise<void> {
  await page.getByRole('button', { name: button, exact: true }).click();
  expect(await page.textContent('main')).toMatch(says);
  expect(await axe(page)).toEqual([]);
  await page.fill('#reason', `Because of ${button}.`);
  await page.getByRole('button', { name: 'Do it' }).click();
  expect([await page.textContent('[role=status]'), await page.textContent('main')]).toEqual(['Done. It stands in the history.', expect.stringContaining(`Because of ${button}.`)]);
}

test('support finds somebody by their address, and what it does is there for people at once', async () => {
  // Grace is not the last one who may sign in.
  await signIn(await browse(), 'ada');
  const grace = await browse();
  await signIn(grace, 'grace', 'billing');
  const billing = grace.url();
  const [, address = ''] = /\(([^()]+@[^()]+)\)/.exec((await signedInAs(grace))!)!;
  const page = await browse();
  await asStaff(page, address);
  expect(await axe(page)).toEqual([]);
  await look(page, 'staff-realm');

  await act(page, `Deactivate ${address}`, /can’t sign in any more/);
  const shut = await grace.goto(billing);
  expect([shut!.status(), await grace.textContent('h1')]).toEqual([403, 'This can’t be opened any more']);
  await act(page, `Take back ${address}`, /can sign in again/);
  await signIn(grace, 'grace', 'billing');

  // Where another test left a plan, or a request.
  if (await page.getByRole('button', { name: 'Decline' }).isVisible()) await act(page, 'Decline', /is declined/);
  const left = page.getByRole('button', { name: /^End it now(, give nothing back)?$/ });
  if (await left.isVisible()) await act(page, (await left.textContent())!, /ends at once/);

  await page.getByText('Begin or schedule a paid plan').click();
  await page.check('#period-month');
  await page.fill('#seats', '12');
  await act(page, 'Show what will happen', /Basic begins at once with 12 seats, billed monthly[\s\S]*€42\.00[\s\S]*€8\.40[\s\S]*€50\.40/);
  await grace.goto(billing);
  expect(await grace.textContent('dl')).toMatch(/Basic[\s\S]*12/);
  await look(page, 'staff-begun');

  await act(page, 'End it now, give back the rest', /credit note[\s\S]*Given back[\s\S]*€50\.40/);
  await grace.reload();
  expect([await grace.textContent('dl'), await grace.textContent('table')]).toEqual([expect.stringContaining('Free'), expect.stringContaining('-€50.40')]);
  await page.locator('a[href*="/invoices/"]').first().click();
  expect(await page.textContent('main')).toMatch(/Credit note \d+[\s\S]*-€50\.40/);
  await look(page, 'staff-credit-note');
  await page.goBack();

  // A legacy organization, and what it becomes.
  await page.getByText('Give a plan').click();
  await page.check('#give-legacy');
  await page.fill('#ends_on', '2030-01-31');
  await act(page, 'Show what will happen', /Legacy begins at once, costs nothing, and ends on January 31, 2030/);
  await page.getByText('Begin or schedule a paid plan').click();
  await page.locator('form:has(#seats) button').click();
  expect(await page.textContent('main')).toContain('begins when the current plan ends, on January 31, 2030');
  await page.fill('#reason', 'Agreed by letter.');
  await page.getByRole('button', { name: 'Do it' }).click();
  await grace.goto(billing);
  expect(await grace.textContent('dl')).toMatch(/Legacy[\s\S]*After that[\s\S]*Basic/);
  await act(page, 'Take back the change', /does not begin/);
  await act(page, 'End it now', /Legacy ends at once/);
});

test('who is no staff gets no staff page', async () => {
  const { username, password } = await createPerson([], 0);
  const page = await browse();
  await page.goto(`${stack().proxy}/staff/billing/`);
  await page.fill('#username', username);
  await page.fill('#password', password);
  await page.click('#kc-login');
  expect(await page.textContent('h1')).toBe('Your account may not see this');
});

test('who may not manage billing is told so by the server', async () => {
  const page = await browse();
  await liveAs(page, 'bob');
  const answer = await page.goto(`${stack().selfHosted}/self-hosted-billing/`);
  expect([answer!.status(), await page.textContent('h1')]).toEqual([403, 'You can’t manage billing here']);
});

async function look(page: Page, name: string): Promise<void> {
  const folder = process.env['BILLING_SCREENSHOTS'];
  if (folder) await page.screenshot({ path: `${folder}/journey-${name}.png`, fullPage: true });
}
