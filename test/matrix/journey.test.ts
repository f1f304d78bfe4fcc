import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { addStep, settings } from '../keycloak/support/breaking.ts';
import { createElsewhere, ELSEWHERE, goThrough, openElsewhere, signInThrough } from '../keycloak/support/elsewhere.ts';
import { type Entry, entryOf, keeper, personWith, rolesOf, setEntries, stampsOf } from '../keycloak/support/keeper.ts';
import { authenticator } from '../support/authenticator.ts';
import { bridgeEnvironment, runDoctor } from '../support/doctor.ts';
import { eventually } from '../support/eventually.ts';
import { scrape } from '../support/exposition.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { createPerson, freshAddress, setStamp, type Person } from '../support/person.ts';
import { inbox, pause, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, PASSWORD, signUp, submitForm } from '../support/visitor.ts';

/** What every Keycloak version has to do, in the order in which a person meets it. */
const CLIENT = 'matrix';
const SECRET = 'matrix-secret';
const RETURN_TO = 'http://localhost:1/returned';
const RIVALS = 8;

const admin = keycloakAdmin();
let clientId: string;

beforeAll(async () => {
  clientId = await admin.create('/clients', {
    clientId: CLIENT,
    secret: SECRET,
    publicClient: false,
    standardFlowEnabled: true,
    directAccessGrantsEnabled: true,
    fullScopeAllowed: false,
    redirectUris: [RETURN_TO],
    optionalClientScopes: ['offline_access'],
    protocolMappers: [{ name: 'trial', protocol: 'openid-connect', protocolMapper: 'vestibule-trial-claims', config: { 'access.token.claim': 'true' } }],
  });
});

afterAll(() => admin.delete(`/clients/${clientId}`));

const endpoint = (name: string): string => `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/${name}`;
const usersNamed = (username: string): Promise<{ id: string; emailVerified: boolean; attributes?: Record<string, string[]> }[]> =>
  admin.get(`/users?${new URLSearchParams({ username, exact: 'true' })}`);

async function signIn(browser: HttpBrowser, username: string, password = PASSWORD, url = `${stack().proxy}/api/login`): Promise<Visit> {
  return browser.submit((await browser.get(url)).form('kc-form-login'), { username, password });
}

describe('registering', () => {
  test('leads from the mail over the locked form into the app, with an account and a small app', async () => {
    const address = freshAddress('ada');
    const link = await invite(address);
    await httpBrowser().get(link);
    const browser = httpBrowser();
    const form = await browser.get(link);
    expect(form.body).toMatch(new RegExp(`<input[^>]*value="${address}"[^>]*disabled`, 's'));
    const page = await submitForm(browser, form);
    expect(isSignedIn(page)).toBe(true);
    const [user] = await usersNamed(address);
    expect(user?.emailVerified).toBe(true);
    expect(JSON.parse(user?.attributes?.['trial_stamp']?.[0] ?? '{}')).toMatchObject({ product: 'app', state: 'active', clients: ['vestibule-proxy'], made: true, roles: ['trial-user'] });
    expect((await admin.get(`/users/${user?.id}/groups`)).map((group: { path: string }) => group.path)).toEqual(['/vestibule-trials']);
    const smallApp = await browser.get(page.link(/\/apps\//));
    expect([smallApp.status, /<h1[^>]*>This is your small app/.test(smallApp.body)]).toEqual([200, true]);
    await eventually(async () => (await queryDatabase('select state from bridge.registration where address = $1', [address]))[0]?.['state'] === 'confirmed');
  });

  test.each([
    ['another e-mail address', { email: 'eve@example.com' }],
    ['another user name', { username: 'eve@example.com' }],
  ])('with %s put into the locked form is refused', async (_, tampered) => {
    const browser = httpBrowser();
    const page = await submitForm(browser, await browser.get(await invite(freshAddress('ada'))), tampered);
    expect([isSignedIn(page), page.body.includes('kc-register-form'), await usersNamed('eve@example.com')]).toEqual([false, true, []]);
  });

  test.each(['auth', 'registrations'])('without an invitation shows no form, by /%s', async (name) => {
    const query = new URLSearchParams({ client_id: CLIENT, redirect_uri: RETURN_TO, response_type: 'code', scope: 'openid', prompt: 'create' });
    const page = await httpBrowser().get(`${endpoint(name)}?${query}`);
    expect(page.body).not.toContain('kc-register-form');
  });

  test('that fails leaves no user and shows the form again, filled; submitting again works', async () => {
    const address = freshAddress('ada');
    const browser = httpBrowser();
    const form = await browser.get(await invite(address));
    const resume = pause('bridge');
    const again = await submitForm(browser, form).finally(resume);
    expect(again.body).toContain('kc-register-form');
    expect(again.body).toContain('value="Lovelace"');
    expect(again.body).toMatch(/pf-m-danger|alert-error/);
    expect(await usersNamed(address)).toEqual([]);
    expect(isSignedIn(await submitForm(browser, again))).toBe(true);
  });

  test('many times at once with one link makes one account; nobody sees a fault', async () => {
    const address = freshAddress('ada');
    const link = await invite(address);
    const rivals = await Promise.all(
      Array.from({ length: RIVALS }, async () => {
        const browser = httpBrowser();
        return { browser, form: await browser.get(link) };
      }),
    );
    const pages = await Promise.all(rivals.map(({ browser, form }) => submitForm(browser, form)));
    expect(pages.filter(isSignedIn)).toHaveLength(1);
    expect(pages.filter((page) => page.status >= 500)).toEqual([]);
    expect(await usersNamed(address)).toHaveLength(1);
  });
});

describe('a spent link', () => {
  test('leads its owner into the app', async () => {
    const link = await invite(freshAddress('ada'));
    const { browser } = await signUp(link);
    expect(isSignedIn(await browser.get(link))).toBe(true);
  });

  test('leads somebody who is signed out to sign-in, with a line saying so', async () => {
    const link = await invite(freshAddress('ada'));
    await signUp(link);
    // The outcome reaches the bridge a moment after the page reaches the person.
    const page = await eventually(async () => {
      const opened = await httpBrowser().get(link);
      return /already been used|used already/.test(opened.body) && opened;
    });
    expect(page.body).toContain('kc-form-login');
  });
});

test('signing out and in again', async () => {
  const address = freshAddress('ada');
  const { browser } = await signUp(await invite(address));
  await browser.submit((await browser.get(`${stack().proxy}/api/logout`)).form('page-form'));
  const asked = await browser.get(`${stack().proxy}/api/login`);
  expect(asked.body).toContain('kc-form-login');
  expect(isSignedIn(await browser.submit(asked.form('kc-form-login'), { username: address, password: PASSWORD }))).toBe(true);
});

test('a forgotten password is mailed in the language of the page, and a new one signs in', async () => {
  const person = await createPerson([], 0);
  const browser = httpBrowser();
  const login = await browser.get(`${stack().proxy}/api/login`);
  const ask = await browser.get(`${login.link(/reset-credentials/)}&kc_locale=fr`);
  await browser.submit(ask.form('kc-reset-password-form'), { username: person.username });
  const mail = await inbox.waitForMail(person.username);
  expect(mail.subject).toBe('Réinitialiser le mot de passe');
  const choose = await browser.get(mail.links.find((link) => link.includes('action-token'))!);
  await browser.submit(choose.form(), { 'password-new': 'another pass phrase', 'password-confirm': 'another pass phrase' });
  expect(isSignedIn(await signIn(httpBrowser(), person.username, 'another pass phrase'))).toBe(true);
});

test('an empty password is refused, and the right one taken after it', async () => {
  const person = await createPerson([], 0);
  const browser = httpBrowser();
  const again = await signIn(browser, person.username, '');
  expect(isSignedIn(await browser.submit(again.form('kc-form-login'), { username: person.username, password: person.password }))).toBe(true);
});

test('another person who is signed in here is named, and asked', async () => {
  const bob = freshAddress('bob');
  const { browser } = await signUp(await invite(bob));
  const address = freshAddress('ada');
  const asked = await browser.get(await invite(address));
  expect([asked.body.includes(bob), asked.body.includes(address)]).toEqual([true, true]);
  let page = await submitForm(browser, await browser.submit(asked.form('trial-other-person'), { decision: 'go-on' }));
  if (!isSignedIn(page)) page = await browser.submit(page.form('page-form'), { choice: 'go_on' });
  expect((await browser.json(`${stack().proxy}/api/session`)).user.email).toBe(address);
});

/** `end` moves the trial's end into the past, or does nothing. Keycloak judges by the stamp: the bridge does not know these people. */
type WayIn = (person: Person, end: () => Promise<void>) => Promise<'in' | 'refused'>;

const authorizationUrl = (scope = 'openid'): string => `${endpoint('auth')}?${new URLSearchParams({ client_id: CLIENT, redirect_uri: RETURN_TO, response_type: 'code', scope })}`;
const codeFrom = (page: Visit): string => new URL(page.url).searchParams.get('code') ?? '';

async function tokens(parameters: Record<string, string>): Promise<{ status: number; body: Record<string, string> }> {
  const answer = await fetch(endpoint('token'), { method: 'POST', body: new URLSearchParams({ client_id: CLIENT, client_secret: SECRET, ...parameters }) });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
}

const exchange = (code: string) => tokens({ grant_type: 'authorization_code', code, redirect_uri: RETURN_TO });

async function refreshToken(person: Person, scope?: string): Promise<string> {
  const { body } = await exchange(codeFrom(await signIn(httpBrowser(), person.username, person.password, authorizationUrl(scope))));
  return body['refresh_token'] ?? '';
}

function judgePage(page: Visit): 'in' | 'refused' {
  if (page.url.startsWith(RETURN_TO)) return codeFrom(page) === '' ? 'refused' : 'in';
  expect(page.body).toContain('Your trial has ended');
  return 'refused';
}

function judgeTokens({ status, body }: { status: number; body: Record<string, string> }): 'in' | 'refused' {
  if (status === 200) return 'in';
  expect({ status, error: body['error'] }).toEqual({ status: 400, error: 'invalid_grant' });
  return 'refused';
}

const WAYS_IN: Record<string, WayIn> = {
  password: async (person, end) => {
    await end();
    return judgePage(await signIn(httpBrowser(), person.username, person.password, authorizationUrl()));
  },
  'the cookie of a session': async (person, end) => {
    const browser = httpBrowser();
    await signIn(browser, person.username, person.password, authorizationUrl());
    await end();
    return judgePage(await browser.get(authorizationUrl()));
  },
  'code exchange': async (person, end) => {
    const code = codeFrom(await signIn(httpBrowser(), person.username, person.password, authorizationUrl()));
    await end();
    return judgeTokens(await exchange(code));
  },
  refresh: async (person, end) => {
    const refresh_token = await refreshToken(person);
    await end();
    return judgeTokens(await tokens({ grant_type: 'refresh_token', refresh_token }));
  },
  'offline refresh': async (person, end) => {
    const refresh_token = await refreshToken(person, 'openid offline_access');
    await end();
    return judgeTokens(await tokens({ grant_type: 'refresh_token', refresh_token }));
  },
  'direct grant': async (person, end) => {
    await end();
    return judgeTokens(await tokens({ grant_type: 'password', username: person.username, password: person.password, scope: 'openid' }));
  },
};

describe.each(Object.entries(WAYS_IN))('the end of a trial, by %s', (_, wayIn) => {
  test('is not there before', async () => {
    expect(await wayIn(await createPerson([CLIENT], 3600), async () => {})).toBe('in');
  });

  test('holds after', async () => {
    const person = await createPerson([CLIENT], 3600);
    expect(await wayIn(person, () => setStamp(person, [CLIENT], -1))).toBe('refused');
  });
});

/** Invited, and on the form. */
const arrive = async (address = freshAddress('ada')) => {
  const browser = httpBrowser();
  return { address, browser, form: await browser.get(await invite(address)) };
};

/** Invited, on the form, and known at the provider. */
const arriveKnown = async (address = freshAddress('ada'), theirs = address) => {
  await createElsewhere(theirs);
  return { theirs, ...(await arrive(address)) };
};

describe('an identity provider', () => {
  let close: () => Promise<void>;
  beforeAll(async () => {
    close = await openElsewhere();
  });
  afterAll(() => close());

  test('makes the account of an invitation, linked, and signs in to it afterwards', async () => {
    const { address, browser, form } = await arriveKnown();
    expect(isSignedIn(await goThrough(browser, form, address))).toBe(true);
    const [account, ...others] = await usersNamed(address);
    expect([others, account?.emailVerified, Object.keys(account?.attributes ?? {})]).toEqual([[], true, expect.arrayContaining(['trial_stamp'])]);
    expect(await admin.get(`/users/${account!.id}/federated-identity`)).toMatchObject([{ identityProvider: ELSEWHERE }]);
    expect(isSignedIn(await signInThrough(address))).toBe(true);
  });

  test('leaves no account where that fails, and the same page goes on', async () => {
    const { address, browser, form } = await arriveKnown();
    const mend = await settings('vestibule registration', 'trial-token-form-action', { allowedRoles: 'customer' })(admin);
    const failed = await goThrough(browser, form, address).finally(mend);
    expect(failed.body).toContain('Nothing was stored');
    expect(await usersNamed(address)).toEqual([]);
    expect(isSignedIn(await browser.submit(failed.form('trial-from-provider')))).toBe(true);
    expect(await usersNamed(address)).toHaveLength(1);
  });

  test('with another address makes nothing, and leads back to the form', async () => {
    const { address, theirs, browser, form } = await arriveKnown(freshAddress('ada'), freshAddress('grace'));
    const page = await goThrough(browser, form, theirs);
    for (const one of [address, theirs]) expect([page.body.includes(one), await usersNamed(one)]).toEqual([true, []]);
    expect(isSignedIn(await submitForm(browser, await browser.submit(page.form('trial-other-address'), { decision: 'form' })))).toBe(true);
  });

  test('makes none without an invitation', async () => {
    const address = freshAddress('ada');
    await createElsewhere(address);
    expect((await signInThrough(address)).body).toContain('data-reason="missing"');
    expect(await usersNamed(address)).toEqual([]);
  });
});

describe('a passkey', () => {
  let undo: () => Promise<unknown>;
  // Every version has this step; "Enable passkeys" is there since 26.4.
  beforeAll(async () => {
    undo = await addStep('vestibule browser sign-in', 'webauthn-authenticator-passwordless', 'ALTERNATIVE', 'vestibule browser')(admin);
  });
  afterAll(() => undo());

  test('is made with the account of an invitation, and signs in to it afterwards', async () => {
    const { address, browser, form } = await arrive();
    const device = authenticator();
    const page = await submitForm(browser, form, { 'trial-passkey': 'create', password: '', 'password-confirm': '' });
    expect(await usersNamed(address)).toEqual([]);
    expect(isSignedIn(await browser.submit(page.form('trial-passkey-form'), device.make(page)))).toBe(true);
    const [account, ...others] = await usersNamed(address);
    expect([others, account?.emailVerified, Object.keys(account?.attributes ?? {})]).toEqual([[], true, expect.arrayContaining(['trial_stamp'])]);
    expect((await admin.get(`/users/${account!.id}/credentials`)).map(({ type }: { type: string }) => type)).toEqual(['webauthn-passwordless']);

    const later = httpBrowser();
    const login = await later.get(`${stack().proxy}/api/login`);
    const ways = await later.submit(login.form('kc-select-try-another-way-form'));
    // The first is the password.
    const way = await later.submit(ways.form(1));
    expect(isSignedIn(await later.submit(way.form('webauth'), device.prove(way)))).toBe(true);
  });

  test('of another page is refused: nothing is made, and the form goes on with a password', async () => {
    const [one, other] = [await arrive(), await arrive()];
    const pages = await Promise.all([one, other].map(({ browser, form }) => submitForm(browser, form, { 'trial-passkey': 'create' })));
    const again = await one.browser.submit(pages[0]!.form('trial-passkey-form'), authenticator().make(pages[1]!));
    expect(again.body).toContain('The passkey could not be made.');
    expect(await usersNamed(one.address)).toEqual([]);
    const back = await one.browser.submit((await submitForm(one.browser, again)).form('trial-passkey-form'), { decision: 'password' });
    expect(isSignedIn(await submitForm(one.browser, back))).toBe(true);
  });
});

describe('the jar, asked by the bridge,', () => {
  const app = entryOf('app', [CLIENT], 3600);
  const onTrial = (more: Partial<Entry> = {}) => personWith([{ ...app, ...more }]);
  const write = (id: string, version: number, roles: { grant: string[]; revoke: string[] } = { grant: [], revoke: [] }) =>
    keeper().keepStamp(id, { product: 'app', entry: JSON.stringify({ ...app, state: `v${version}` }), version, roles });

  test('keeps the highest version of a stamp, however many write at once', async () => {
    const person = await onTrial();
    await Promise.all([3, 1, 8, 5, 2, 7, 4, 6].map((version) => write(person.id, version)));
    expect(await stampsOf(person)).toMatchObject([{ state: 'v8', version: 8 }]);
  });

  test('gives a role of its list and no other, and touches nobody who is not on trial', async () => {
    const person = await onTrial();
    expect(await write(person.id, 1, { grant: ['trial-user'], revoke: [] })).toBe('held');
    await expect(write(person.id, 2, { grant: ['staff'], revoke: [] })).rejects.toMatchObject({ message: expect.stringContaining('role_not_allowed') });
    expect([await rolesOf(person), await write((await personWith([])).id, 1)]).toEqual([['trial-user'], 'not_managed']);
  });

  test('ends what is open at the clients of a trial that is over, online and offline', async () => {
    const person = await onTrial();
    const held = [await refreshToken(person), await refreshToken(person, 'openid offline_access')];
    await setEntries(person, [{ ...app, trial_access_until: 1 }]);
    expect(await keeper().endSessions(person.id, 'app')).toBeGreaterThanOrEqual(2);
    await setEntries(person, [app]);
    expect((await Promise.all(held.map((refresh_token) => tokens({ grant_type: 'refresh_token', refresh_token })))).map(({ status }) => status)).toEqual([400, 400]);
  });

  test('deletes an account that the trial made, and keeps others', async () => {
    const [made, kept] = [await onTrial({ made: true }), await onTrial()];
    expect([await keeper().remove(made.id, 'app'), await keeper().remove(kept.id, 'app')]).toEqual(['removed', 'kept_account']);
    expect([await usersNamed(made.username), await stampsOf(kept)]).toEqual([[], []]);
  });

  test('says whether it calls the bridge, as its metric does', async () => {
    // A test before this one paused the bridge: asking is what makes Keycloak try again.
    await eventually(async () => {
      const health = await fetch(`${stack().keycloak}/realms/${stack().realm}/vestibule-trials/health`);
      return ((await health.json()) as { bridge?: { breaker?: string } }).bridge?.breaker === 'closed';
    });
    expect((await scrape(Number(new URL(bridgeEnvironment()['KEYCLOAK_MANAGEMENT_URL'] ?? '').port))).sum('vestibule_bridge_breakers_open')).toBe(0);
  });
});

test('no access token outlives the trial', async () => {
  const person = await createPerson([CLIENT], 60);
  const { body } = await tokens({ grant_type: 'password', username: person.username, password: person.password });
  expect(Number(body['expires_in'])).toBeLessThanOrEqual(60);
});

test('the doctor finds no disagreement, and nothing open in the realm but what was made here', async () => {
  await eventually(async () => (await runDoctor('consistency')).findings.length === 0);
  const realm = await runDoctor('realm');
  expect(realm.findings.filter(({ detail }) => !detail.includes(`client ${CLIENT} `))).toEqual([]);
});
