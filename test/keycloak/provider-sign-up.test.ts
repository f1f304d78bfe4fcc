import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { axe, launchBrowser, PHONE, type TestBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { createPerson, freshAddress } from '../support/person.ts';
import { inbox, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, register, signUp, submitForm } from '../support/visitor.ts';
import { addStep, flow, settings, step } from './support/breaking.ts';
import { addProvider, changeProvider, createElsewhere, ELSEWHERE, goThrough, KNOWN_ELSEWHERE, openElsewhere, signInThrough } from './support/elsewhere.ts';

const admin = keycloakAdmin();
const PROVIDER_LINK = new RegExp(`/broker/${ELSEWHERE}/login`);
let close: () => Promise<void>;

beforeAll(async () => {
  close = await openElsewhere();
});
afterAll(() => close());

interface Account {
  id: string;
  username: string;
  emailVerified: boolean;
  firstName?: string;
  lastName?: string;
  attributes?: Record<string, string[]>;
}

const accountsOf = (address: string): Promise<Account[]> => admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
const linksOf = async (address: string): Promise<string[]> =>
  (await admin.get(`/users/${(await accountsOf(address))[0]!.id}/federated-identity`)).map((link: { identityProvider: string }) => link.identityProvider);
const trialsOf = (address: string) => queryDatabase('select t.id from bridge.trial t join bridge.registration r on r.attempt_id = t.attempt_id where r.address = $1', [address]);
const reasonOf = (page: Visit) => /data-reason="(\w+)"/.exec(page.body)?.[1];

/** Invited, on the form, and known at the provider by the same address, or by `theirs`. */
async function arrive(fields: Record<string, unknown> = {}, elsewhere: object = {}, theirs?: string): Promise<{ address: string; theirs: string; link: string; browser: HttpBrowser; form: Visit }> {
  const address = freshAddress('ada');
  const link = await invite(address, fields);
  await createElsewhere(theirs ?? address, elsewhere);
  const browser = httpBrowser();
  return { address, theirs: theirs ?? address, link, browser, form: await browser.get(link) };
}

describe('the locked form', () => {
  test('shows the providers of the login page as links, and no others', async () => {
    const undo: (() => Promise<unknown>)[] = [await flow('only links', [['idp-detect-existing-broker-user', 'REQUIRED']])(admin)];
    try {
      undo.unshift(await addProvider('hidden-one', { hideOnLogin: true }), await addProvider('link-only', { linkOnly: true }), await addProvider('switched-off', { enabled: false }), await addProvider('only-links', { firstBrokerLoginFlowAlias: 'only links' }));
      const form = await httpBrowser().get(await invite(freshAddress('ada')));
      expect([...form.body.matchAll(/\/broker\/([\w-]+)\/login/g)].map(([, alias]) => alias)).toEqual([ELSEWHERE]);
      expect(form.body).toContain('Continue with Elsewhere &amp; Co');
    } finally {
      for (const one of undo) await one();
    }
  });

  test('shows them again after a fault, and they still lead on', async () => {
    const { address, browser, form } = await arrive();
    const again = await submitForm(browser, form, { password: 'short', 'password-confirm': 'short' });
    expect(isSignedIn(await goThrough(browser, again, address))).toBe(true);
  });

  test('without an invitation shows what it showed', async () => {
    const open = await settings('vestibule registration', 'trial-token-authenticator', { withoutInvitation: 'allow' })(admin);
    try {
      const browser = httpBrowser();
      const login = await browser.get(`${stack().proxy}/api/login`);
      const form = await browser.get(login.link(/registration/));
      expect(form.body).toContain('kc-register-form');
      expect(form.body).not.toMatch(PROVIDER_LINK);
    } finally {
      await open();
    }
  });

  test('is where somebody comes back to who thinks better of it at the provider', async () => {
    const { address, browser, form } = await arrive();
    const elsewhere = await browser.get(form.link(PROVIDER_LINK));
    const state = elsewhere.hops.map((hop) => new URL(hop).searchParams.get('state')).findLast(Boolean)!;
    const back = await browser.get(`${stack().keycloak}/realms/${stack().realm}/broker/${ELSEWHERE}/endpoint?${new URLSearchParams({ state, error: 'access_denied' })}`);
    expect(back.body).toContain('Access denied');
    const anew = await browser.get(back.link(/registration/));
    expect(anew.body).toContain(address);
    expect(isSignedIn(await submitForm(browser, anew))).toBe(true);
  });
});

describe('an account through an identity provider', () => {
  test('is that of the form: stamped, verified, in its group, linked, signed in; and the invitation is spent', async () => {
    const { address, link, browser, form } = await arrive();
    expect(isSignedIn(await goThrough(browser, form, address))).toBe(true);
    const [account, ...others] = await accountsOf(address);
    expect(others).toEqual([]);
    expect(account).toMatchObject({ username: address, emailVerified: true, firstName: 'Ada', lastName: 'Lovelace' });
    expect(JSON.parse(account!.attributes!['trial_stamp']![0]!)).toMatchObject({ product: 'app', state: 'active', made: true, roles: ['trial-user'] });
    expect((await admin.get(`/users/${account!.id}/groups`)).map(({ path }: { path: string }) => path)).toEqual(['/vestibule-trials']);
    expect((await admin.get(`/users/${account!.id}/role-mappings/realm`)).map(({ name }: { name: string }) => name)).toContain('trial-user');
    expect(await linksOf(address)).toEqual([ELSEWHERE]);
    expect(isSignedIn(await signInThrough(address))).toBe(true);
    const used = await eventually(async () => {
      const page = await httpBrowser().get(link);
      return page.body.includes('used already') && page;
    });
    expect(used.body).toContain('kc-form-login');
    expect(await trialsOf(address)).toHaveLength(1);
    expect(await admin.get(`/events?type=REGISTER&user=${account!.id}`)).toMatchObject([{ details: { register_method: 'broker', identity_provider: ELSEWHERE, username: address } }]);
  });

  test('is whole although the person leaves before Keycloak is done with it', async () => {
    const { address, link } = await arrive();
    const leaving = httpBrowser({ follow: (url) => !url.pathname.endsWith('/after-first-broker-login') });
    expect((await goThrough(leaving, await leaving.get(link), address)).status).toBe(0);
    expect(await linksOf(address)).toEqual([ELSEWHERE]);
    expect(isSignedIn(await signInThrough(address))).toBe(true);
    await eventually(async () => (await trialsOf(address)).length === 1);
  });

  test('SECURITY 6: counts by the provider’s word for the address, although nobody trusts it in general', async () => {
    const undo = await changeProvider({ trustEmail: false });
    try {
      const { address, browser, form } = await arrive();
      expect(isSignedIn(await goThrough(browser, form, address))).toBe(true);
      expect(await accountsOf(address)).toMatchObject([{ emailVerified: true }]);
    } finally {
      await undo();
    }
  });

  test('SECURITY 7: has the invited spelling of the address, whatever the provider writes', async () => {
    const address = freshAddress('ada').replace('example.com', 'bücher.example');
    const invited = address.replace('bücher', 'xn--bcher-kva');
    await createElsewhere(address);
    const browser = httpBrowser();
    expect(isSignedIn(await goThrough(browser, await browser.get(await invite(invited)), address))).toBe(true);
    expect(await accountsOf(invited)).toMatchObject([{ username: invited, email: invited, emailVerified: true }]);
    expect(isSignedIn(await signInThrough(address))).toBe(true);
  });

  test('SECURITY 5: takes the place of a squatter’s, who keeps nothing', async () => {
    const { address, browser, form } = await arrive();
    const squatter = await admin.create('/users', { username: address, email: address, emailVerified: false, enabled: true });
    expect(isSignedIn(await goThrough(browser, form, address))).toBe(true);
    expect(await admin.get(`/users/${squatter}`)).toMatchObject({ enabled: false, username: `set-aside-${squatter}` });
    expect((await accountsOf(address))[0]!.id).not.toBe(squatter);
  });

  test.each([
    ['a template and a script', '${7*7}<script>alert(1)</script>'],
    ['a line break and a header', 'Ada\r\nBcc: eve@example.com'],
  ])('does without a name of %s', async (_, firstName) => {
    const { address, browser, form } = await arrive({}, { firstName });
    const page = await goThrough(browser, form, address);
    expect(isSignedIn(page)).toBe(true);
    expect(page.body).not.toMatch(/<script>alert|Bcc/);
    const [account] = await accountsOf(address);
    expect([account?.firstName, account?.lastName]).toEqual([undefined, 'Lovelace']);
  });

  test('SECURITY 2: is not there where it cannot have what it needs; nothing is spent, and the same page goes on', async () => {
    const { address, browser, form } = await arrive();
    const mend = await settings('vestibule registration', 'trial-token-form-action', { allowedRoles: 'customer' })(admin);
    const failed = await goThrough(browser, form, address).finally(mend);
    expect(failed.body).toContain('Nothing was stored');
    expect(await accountsOf(address)).toEqual([]);
    expect(isSignedIn(await browser.submit(failed.form('trial-from-provider')))).toBe(true);
    expect(await accountsOf(address)).toHaveLength(1);
    expect(await trialsOf(address)).toHaveLength(1);
  });
});

interface Invitation {
  address: string;
  link: string;
}

const setInvitation = ({ link }: Invitation, change: string) =>
  queryDatabase(`update bridge.invitation set ${change} where token_hash = sha256(convert_to($1, 'UTF8'))`, [new URL(link).searchParams.get('invitation_token')]);

const withdraw = (invitation: Invitation) => setInvitation(invitation, "state = 'revoked'");
const expire = (invitation: Invitation) => setInvitation(invitation, "expires_at = now() - interval '1 day'");
const useElsewhere = async ({ address, link }: Invitation) => {
  await signUp(link);
  await admin.delete(`/users/${(await accountsOf(address))[0]!.id}`);
  await eventually(async () => (await queryDatabase('select state from bridge.registration where address = $1', [address]))[0]?.['state'] === 'confirmed');
};

describe('SECURITY 6: nothing is created', () => {
  test.each<[string, object, object, string, string]>([
    ['is another one', {}, {}, 'other', 'grace'],
    ['is confirmed by nobody', { trustEmail: false }, { emailVerified: false }, 'unverified', ''],
    ['is not confirmed by a provider that is trusted', { trustEmail: true }, { emailVerified: false }, 'unverified', ''],
    ['is none', {}, { email: undefined }, 'none', ''],
  ])('where the provider’s address %s: a page names both, and leads back', async (_, provider, elsewhere, reason, other) => {
    const undo = await changeProvider(provider);
    try {
      const { address, theirs, browser, form } = await arrive({}, elsewhere, other === '' ? undefined : freshAddress(other));
      const page = await goThrough(browser, form, theirs);
      expect([page.status, reasonOf(page)]).toEqual([403, reason]);
      for (const one of [address, theirs]) expect([page.body.includes(one), await accountsOf(one)]).toEqual([true, []]);
      expect(await trialsOf(address)).toEqual([]);
      const back = await browser.submit(page.form('trial-other-address'), { decision: 'form' });
      expect(isSignedIn(await submitForm(browser, back))).toBe(true);
      expect(await accountsOf(address)).toHaveLength(1);
    } finally {
      await undo();
    }
  });

  test('and the right account at the provider is enough afterwards', async () => {
    const { address, theirs, browser, form } = await arrive({}, {}, freshAddress('grace'));
    await createElsewhere(address);
    const page = await goThrough(browser, form, theirs);
    const provider = `${stack().keycloak}/realms/${ELSEWHERE}/protocol/openid-connect`;
    const signOut = await browser.get(`${provider}/logout?client_id=broker`);
    await browser.submit(signOut.form());
    const back = await browser.submit(page.form('trial-other-address'), { decision: 'form' });
    expect(isSignedIn(await goThrough(browser, back, address))).toBe(true);
    expect(await accountsOf(theirs)).toEqual([]);
  });

  test.each<[string, (invitation: Invitation) => Promise<unknown>, RegExp]>([
    ['is withdrawn', withdraw, /data-reason="revoked"/],
    ['has expired', expire, /data-reason="expired"/],
    ['is used in another browser', useElsewhere, /used already/],
  ])('where the invitation %s while one is at the provider', async (_, meanwhile, says) => {
    const { address, link, browser, form } = await arrive();
    await meanwhile({ address, link });
    const page = await goThrough(browser, form, address);
    expect(page.body).toMatch(says);
    expect(await accountsOf(address)).toEqual([]);
  });

  test('where the invitation is unknown, or the bridge does not answer', async () => {
    const { address, browser, form } = await arrive();
    const mend = await settings('vestibule first broker login', 'trial-token-authenticator', { bridgeUrl: 'http://127.0.0.1:1' })(admin);
    const page = await goThrough(browser, form, address).finally(mend);
    expect(reasonOf(page)).toBe('unavailable');
    expect(await accountsOf(address)).toEqual([]);
    expect(isSignedIn(await browser.get(page.link(/first-broker-login/)))).toBe(true);
  });

  test('where nothing stands before the step that creates', async () => {
    const undo = await step('vestibule first broker login', 'trial-token-authenticator', { requirement: 'DISABLED' })(admin);
    try {
      const { address, browser, form } = await arrive();
      expect(reasonOf(await goThrough(browser, form, address))).toBe('misconfigured');
      expect(await accountsOf(address)).toEqual([]);
    } finally {
      await undo();
    }
  });

  test('where Keycloak’s own step would make an account without a trial: the form shows no provider, and none leads around it', async () => {
    const undo = await addStep('vestibule first broker account', 'idp-create-user-if-unique', 'ALTERNATIVE', 'vestibule first broker login')(admin);
    try {
      const { address, browser, form } = await arrive();
      expect(form.body).not.toMatch(PROVIDER_LINK);
      const login = await browser.get(form.link(/login-actions\/authenticate/));
      expect(reasonOf(await goThrough(browser, login, address))).toBe('missing');
      expect(await accountsOf(address)).toEqual([]);
    } finally {
      await undo();
    }
  });

  test('where the address at the provider has an account already: it is linked after a proof, as ever', async () => {
    const person = await createPerson(['vestibule-proxy'], 3600);
    const { address, browser, form } = await arrive({}, {}, person.username);
    const asked = await goThrough(browser, form, person.username);
    expect(asked.body).toContain('linkAccount');
    expect(await accountsOf(address)).toEqual([]);
    expect(await admin.get(`/users/${person.id}/federated-identity`)).toEqual([]);
  });

  test('SECURITY 8: where somebody else is signed in in this browser: it asks first', async () => {
    const person = await createPerson([], 0);
    const { address, browser, form } = await arrive();
    const tab = await browser.get(`${stack().proxy}/api/login`);
    expect(isSignedIn(await browser.submit(tab.form('kc-form-login'), { username: person.username, password: person.password }))).toBe(true);
    const asked = await goThrough(browser, form, address);
    expect(asked.body).toContain('trial-other-person');
    expect(await accountsOf(address)).toEqual([]);
    const anew = await browser.submit(asked.form('trial-other-person'), { decision: 'go-on' });
    expect(isSignedIn(await goThroughAgain(browser, anew))).toBe(true);
    expect(await accountsOf(address)).toHaveLength(1);
  });
});

/** Signed in at the provider still: it asks nothing. */
const goThroughAgain = (browser: HttpBrowser, page: Visit): Promise<Visit> => browser.get(page.link(PROVIDER_LINK));

describe('what the product asks', () => {
  test('is asked on a short page, before anything is made', async () => {
    const { address, browser, form } = await arrive({ product: 'lab' });
    const asked = await goThrough(browser, form, address);
    for (const text of ['Your team', 'Your role', 'I accept the terms of the lab', address]) expect(asked.body).toContain(text);
    expect(await accountsOf(address)).toEqual([]);
    const again = await browser.submit(asked.form('trial-from-provider'), { 'attributes.team': 'Engines' });
    expect(again.body).toContain('Please tick this to go on.');
    expect(again.body).toContain('value="Engines"');
    expect(await accountsOf(address)).toEqual([]);
    const refused = await browser.submit(again.form('trial-from-provider'), { 'attributes.team': 'En\u0007gines', 'consents.terms': '2' });
    expect(refused.body).toContain('This has characters that we can');
    expect(await accountsOf(address)).toEqual([]);
    expect(isSignedIn(await browser.submit(refused.form('trial-from-provider'), { 'attributes.team': 'Engines', 'consents.terms': '2' }))).toBe(true);
    const kept = await queryDatabase('select consent as id, version, step from bridge.given_consent join bridge.registration using (attempt_id) where address = $1', [address]);
    expect(kept).toEqual([{ id: 'terms', version: '2', step: 'registration_form' }]);
    const [account] = await accountsOf(address);
    expect(Object.keys(account!.attributes!).filter((name) => !['trial_stamp', 'locale'].includes(name))).toEqual([]);
  });

  test('asks in vain where the form was filled in meanwhile: it leads to sign-in', async () => {
    const { address, link, browser, form } = await arrive({ product: 'lab' });
    const asked = await goThrough(browser, form, address);
    const other = httpBrowser();
    const answers = { 'attributes.team': 'Engines', 'consents.terms': '2' };
    expect(isSignedIn(await submitForm(other, await other.get(link), answers))).toBe(true);
    const late = await browser.submit(asked.form('trial-from-provider'), answers);
    expect(late.body).toContain('An account with this address exists by now');
    const anew = await browser.get(late.link(/restart/));
    expect(anew.body).toMatch(/trial-known|used already/);
    expect(await linksOf(address)).toEqual([]);
  });

  test('is not asked again where it came with the address', async () => {
    const given = { attributes: { team: 'Engines', role: 'Analyst' }, consents: [{ id: 'terms', version: '2' }, { id: 'news', version: '1' }] };
    const { address, browser, form } = await arrive({ product: 'lab', ...given });
    expect(isSignedIn(await goThrough(browser, form, address))).toBe(true);
  });
});

test('form and provider at once, in many browsers: one account, one trial, no 500', async () => {
  const address = freshAddress('ada');
  await createElsewhere(address);
  const link = await invite(address);
  const visitors = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const browser = httpBrowser();
      const form = await browser.get(link);
      return index % 2 === 0 ? () => submitForm(browser, form) : () => goThrough(browser, form, address);
    }),
  );
  const pages = await Promise.all(visitors.map((submit) => submit()));
  expect(pages.filter(({ status }) => status >= 500).map(({ body }) => body)).toEqual([]);
  expect(pages.filter(isSignedIn).length).toBeGreaterThanOrEqual(1);
  expect(await accountsOf(address)).toHaveLength(1);
  expect(await trialsOf(address)).toHaveLength(1);
  expect(pages.filter(({ body }) => /unexpected error/i.test(body)).map(({ body }) => body)).toEqual([]);
});

test('the newer of two invitations is spent by a sign-up through a provider, too', async () => {
  const { address, browser, form } = await arrive();
  await register(address);
  const second = (await inbox.waitForMail(address, 2)).links.find((one) => one.includes('invitation_token='))!;
  expect(isSignedIn(await goThrough(browser, form, address))).toBe(true);
  await eventually(async () => (await httpBrowser().get(second)).body.includes('used already'));
});

const look = async (page: Page, name: string): Promise<void> => {
  expect(await axe(page)).toEqual([]);
  if (process.env['SCREENSHOTS']) await page.screenshot({ path: `${process.env['SCREENSHOTS']}/${name}.png`, fullPage: true });
};
const signInElsewhere = async (page: Page, address: string): Promise<void> => {
  await page.click('.trial-provider');
  await page.fill('#username', address.replace(/@.*/, ''));
  await page.fill('#password', KNOWN_ELSEWHERE);
  await page.click('[type=submit]');
};

describe('in Chromium', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  afterEach(() => browser.closePages());

  test('from the mail to the app without a script, and no password', async () => {
    const address = freshAddress('ada');
    await createElsewhere(address);
    const page = await browser.newPage({ javaScriptEnabled: false });
    await page.goto(await invite(address));
    await signInElsewhere(page, address);
    await page.waitForSelector('[data-testid="sample-app"]');
  });

  test('form, two addresses, back, and the questions look like pages of one house', async () => {
    const address = freshAddress('ada');
    const theirs = freshAddress('grace');
    await createElsewhere(address);
    await createElsewhere(theirs);
    const page = await browser.newPage({ locale: 'en' });
    await page.goto(await invite(address, { product: 'lab', locale: 'en' }));
    await look(page, 'form-with-providers');
    await signInElsewhere(page, theirs);
    await page.waitForSelector('#trial-other-address');
    await look(page, 'two-addresses');
    await page.click('#trial-form');
    await page.waitForSelector('#kc-register-form');

    const phone = await browser.newPage({ ...PHONE, locale: 'fr' });
    await phone.goto(await invite(freshAddress('eve'), { locale: 'fr' }));
    await look(phone, 'form-with-providers-phone');

    const other = await browser.newPage({ locale: 'en', colorScheme: 'dark' });
    const link = (await inbox.waitForMail(address)).links.find((one) => one.includes('invitation_token='))!;
    await other.goto(link);
    await look(other, 'form-with-providers-dark');
    await signInElsewhere(other, address);
    await other.waitForSelector('#trial-from-provider');
    await look(other, 'questions');
    await other.fill('[name="attributes.team"]', 'Engines');
    await other.check('[id="consents.terms-2"]');
    await other.click('#trial-create');
    await other.waitForSelector('[data-testid="sample-app"]');
  });
});
