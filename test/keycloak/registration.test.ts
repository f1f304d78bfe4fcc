import { describe, expect, test } from '@jest/globals';
import { httpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { createPerson, freshAddress } from '../support/person.ts';
import { inbox, logOf, moveClock, pause, queryDatabase, stack } from '../support/stack.ts';
import { eventually } from '../support/eventually.ts';
import { invite, isSignedIn, PASSWORD, register, signUp, submitForm } from '../support/visitor.ts';
import { questionsAboutTrials } from './support/infos.ts';

const admin = keycloakAdmin();
const DAY_SECONDS = 86_400;

async function usersNamed(username: string): Promise<{ id: string; username: string; emailVerified: boolean; attributes?: Record<string, string[]> }[]> {
  return admin.get(`/users?${new URLSearchParams({ username, exact: 'true' })}`);
}

async function registerEvents(username: string, type: string): Promise<{ details: Record<string, string> }[]> {
  const events: { details: Record<string, string> }[] = await admin.get(`/events?type=${type}&max=200`);
  return events.filter((event) => Object.values(event.details ?? {}).includes(username));
}

async function signInStamped(clients: readonly string[]): Promise<void> {
  const person = await createPerson(clients, 3600);
  const browser = httpBrowser();
  const login = await browser.get(`${stack().proxy}/api/login`);
  const page = await browser.submit(login.form('kc-form-login'), { username: person.username, password: person.password });
  expect(isSignedIn(page)).toBe(true);
}

/** The outcome of a registration reaches the bridge a moment after the page reaches the person. */
function onceSpent(open: () => Promise<Visit>): Promise<Visit> {
  return eventually(async () => {
    const page = await open();
    return /already been used|used already/.test(page.body) && page;
  });
}

describe('the locked form', () => {
  test('shows the invited address, prefilled and disabled', async () => {
    const address = freshAddress('ada');
    const form = await httpBrowser().get(await invite(address));
    expect(form.body).toMatch(new RegExp(`<input[^>]*value="${address}"[^>]*disabled`, 's'));
  });

  test.each([
    ['another e-mail address', { email: 'eve@example.com' }],
    ['another user name', { username: 'eve@example.com' }],
    ['the address in another spelling', { email: 'ADA@EXAMPLE.COM' }],
  ])('refuses %s, and makes nothing', async (_, tampered) => {
    const address = freshAddress('ada');
    const browser = httpBrowser();
    const form = await browser.get(await invite(address));
    const page = await submitForm(browser, form, tampered);
    expect(isSignedIn(page)).toBe(false);
    expect(page.body).toContain('kc-register-form');
    expect(await usersNamed(address)).toEqual([]);
    expect(await usersNamed('eve@example.com')).toEqual([]);
    expect(isSignedIn(await submitForm(browser, page))).toBe(true);
  });

  test.each([
    ['too short', 'short'],
    ['the address itself', ''],
  ])('refuses a password that is %s', async (_, password) => {
    const address = freshAddress('ada');
    const browser = httpBrowser();
    const form = await browser.get(await invite(address));
    const chosen = password || address;
    const page = await submitForm(browser, form, { password: chosen, 'password-confirm': chosen });
    expect(page.body).toContain('kc-register-form');
    expect(page.body).toMatch(/Invalid password/);
    expect(await usersNamed(address)).toEqual([]);
  });

  test('a success is stamped, verified, in its group, and signed in', async () => {
    const address = freshAddress('ada');
    const { page } = await signUp(await invite(address));
    expect(isSignedIn(page)).toBe(true);
    const [user] = await usersNamed(address);
    expect(user).toMatchObject({ emailVerified: true });
    const stamp = JSON.parse(user!.attributes!['trial_stamp']![0]!);
    expect(stamp).toMatchObject({ product: 'app', state: 'active', clients: ['vestibule-proxy'] });
    expect(stamp.trial_access_until - stamp.trial_ends_at).toBe(3 * DAY_SECONDS);
    expect((await admin.get(`/users/${user!.id}/groups`)).map((group: { path: string }) => group.path)).toEqual(['/vestibule-trials']);
    expect((await admin.get(`/users/${user!.id}/role-mappings/realm`)).map((role: { name: string }) => role.name)).toContain('trial-user');
  });
});

describe('an invitation', () => {
  test('is not used up by whoever looks: a mail scanner opens it first', async () => {
    const link = await invite(freshAddress('ada'));
    await httpBrowser().get(link, { method: 'HEAD' });
    await httpBrowser().get(link);
    await httpBrowser().get(link);
    expect(isSignedIn((await signUp(link)).page)).toBe(true);
  });

  test('stays good beside a newer one until one is used; then both are spent', async () => {
    const address = freshAddress('ada');
    const first = await invite(address);
    await register(address);
    const second = (await inbox.waitForMail(address, 2)).links.find((link) => link.includes('invitation_token='))!;
    expect(isSignedIn((await signUp(first)).page)).toBe(true);
    const page = await onceSpent(() => httpBrowser().get(second));
    expect(page.body).toContain('kc-form-login');
  });

  test('that is spent leads its owner, signed in, into the app', async () => {
    const link = await invite(freshAddress('ada'));
    const { browser } = await signUp(link);
    expect(isSignedIn(await browser.get(link))).toBe(true);
  });

  test.each([
    ['unknown', 'unknown', async () => `${stack().proxy}/api/login?invitation_token=${'A'.repeat(43)}`],
    [
      'withdrawn',
      'revoked',
      async () => {
        const address = freshAddress('ada');
        const link = await invite(address);
        const notMe = (await inbox.waitForMail(address)).links.find((one) => one.includes('/trial/not-me'))!;
        const browser = httpBrowser();
        await browser.submit((await browser.get(notMe)).form('page-form'));
        return link;
      },
    ],
  ])('that is %s is refused with the reason and an offer of a new link', async (_, reason, linkOf) => {
    const page = await httpBrowser().get(await linkOf());
    expect(page.body).not.toContain('kc-register-form');
    expect(page.body).toContain(`data-reason="${reason}"`);
    expect(page.link(/trial\/new-link/)).toMatch(reason === 'unknown' ? /new-link\?lang=en$/ : /new-link\?lang=en&product=app$/);
  });

  test('that has expired is refused with the reason and an offer of a new link', async () => {
    const link = await invite(freshAddress('ada'));
    await moveClock(8 * DAY_SECONDS);
    try {
      const page = await httpBrowser().get(link);
      expect(page.body).toContain('data-reason="expired"');
      expect(page.body).toContain('/trial/new-link');
    } finally {
      await moveClock(0);
    }
  });

  test('is needed: without one there is no form', async () => {
    const accountConsole = `${stack().keycloak}/realms/${stack().realm}/account/`;
    const query = new URLSearchParams({ client_id: 'account-console', redirect_uri: accountConsole, response_type: 'code', scope: 'openid', prompt: 'create', code_challenge_method: 'S256', code_challenge: 'A'.repeat(43) });
    const page = await httpBrowser().get(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/auth?${query}`);
    expect(page.body).not.toContain('kc-register-form');
    expect(page.body).toMatch(/invitation/i);
  });

  test('for an address that has an account by now leads to sign-in, not to an error', async () => {
    const address = freshAddress('ada');
    const link = await invite(address);
    await admin.create('/users', { username: address, email: address, emailVerified: true, enabled: true, credentials: [{ type: 'password', value: PASSWORD }] });
    const page = await httpBrowser().get(link);
    expect(page.body).not.toContain('kc-register-form');
    expect(page.body).toMatch(/sign in/i);
  });
});

describe('when creation fails', () => {
  test('the form comes again, filled, with the reason on top; nothing exists; submitting again works', async () => {
    const address = freshAddress('ada');
    const browser = httpBrowser();
    const form = await browser.get(await invite(address));
    const resume = pause('bridge');
    let again;
    try {
      again = await submitForm(browser, form);
    } finally {
      resume();
    }
    expect(again.body).toContain('kc-register-form');
    expect(again.body).toContain('value="Lovelace"');
    expect(again.body).toMatch(/pf-m-danger|alert-error/);
    expect(await usersNamed(address)).toEqual([]);
    expect(await registerEvents(address, 'REGISTER')).toEqual([]);
    expect(isSignedIn(await submitForm(browser, again))).toBe(true);
    await eventually(async () => {
      const rows = await queryDatabase('select state from bridge.registration where address = $1 order by attempted_at', [address]);
      return rows.at(-1)?.['state'] === 'confirmed';
    });
  });
});

describe('somebody else', () => {
  test('SECURITY 8: who is signed in is named and asked; going on gives the new person’s session only', async () => {
    const { browser } = await signUp(await invite(freshAddress('bob')));
    const bob = await browser.json(`${stack().proxy}/api/session`);
    const address = freshAddress('ada');
    const asked = await browser.get(await invite(address));
    expect(asked.body).toContain(bob.user.email);
    expect(asked.body).toContain(address);
    const form = await browser.submit(asked.form('trial-other-person'), { decision: 'go-on' });
    let page = await submitForm(browser, form);
    if (!isSignedIn(page)) page = await browser.submit(page.form('page-form'), { choice: 'go_on' });
    expect(isSignedIn(page)).toBe(true);
    expect((await browser.json(`${stack().proxy}/api/session`)).user.email).toBe(address);
  });

  test('SECURITY 8: somebody who is signed in is told when a spent link was another’s', async () => {
    const ada = freshAddress('ada');
    const link = await invite(ada);
    await signUp(link);
    await onceSpent(() => httpBrowser().get(link));
    const { browser } = await signUp(await invite(freshAddress('bob')));
    const page = await browser.get(link);
    expect(isSignedIn(page)).toBe(false);
    expect(page.body).toContain(ada);
    expect(isSignedIn(await browser.submit(page.form('trial-other-person'), { decision: 'stay' }))).toBe(true);
  });

  test('SECURITY 8: going on as the new person ends the old one’s tokens', async () => {
    const returnTo = 'http://localhost:1/returned';
    const clientId = freshAddress('client').replace(/@.*/, '');
    const client = await admin.create('/clients', { clientId, publicClient: true, redirectUris: [returnTo] });
    try {
      const { browser } = await signUp(await invite(freshAddress('bob')));
      const realmUrl = `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect`;
      const query = new URLSearchParams({ client_id: clientId, redirect_uri: returnTo, response_type: 'code', scope: 'openid' });
      const code = new URL((await browser.get(`${realmUrl}/auth?${query}`)).url).searchParams.get('code')!;
      const token = async (parameters: Record<string, string>) => {
        const answer = await fetch(`${realmUrl}/token`, { method: 'POST', body: new URLSearchParams({ client_id: clientId, ...parameters }) });
        return (await answer.json()) as Record<string, string>;
      };
      const ofBob = await token({ grant_type: 'authorization_code', code, redirect_uri: returnTo });
      const stillBob = await token({ grant_type: 'refresh_token', refresh_token: ofBob['refresh_token']! });
      const asked = await browser.get(await invite(freshAddress('ada')));
      await submitForm(browser, await browser.submit(asked.form('trial-other-person'), { decision: 'go-on' }));
      expect(await token({ grant_type: 'refresh_token', refresh_token: stillBob['refresh_token']! })).toMatchObject({ error: 'invalid_grant' });
    } finally {
      await admin.delete(`/clients/${client}`);
    }
  });

  test('SECURITY 5: a squatter with the address unverified is set aside; his password and sessions open nothing', async () => {
    const address = freshAddress('ada');
    const squatterId = await admin.create('/users', { username: address, email: address, emailVerified: false, enabled: true, credentials: [{ type: 'password', value: 'the squatters phrase' }] });
    const { page } = await signUp(await invite(address));
    expect(isSignedIn(page)).toBe(true);
    const [owner] = await usersNamed(address);
    expect(owner!.id).not.toBe(squatterId);
    expect(await admin.get(`/users/${squatterId}`)).toMatchObject({ enabled: false, username: `set-aside-${squatterId}` });
    const browser = httpBrowser();
    const login = await browser.get(`${stack().proxy}/api/login`);
    const refused = await browser.submit(login.form('kc-form-login'), { username: address, password: 'the squatters phrase' });
    expect(isSignedIn(refused)).toBe(false);
  });

  test('SECURITY 3: a renamed user keeps the trial; the next owner of the old address inherits nothing', async () => {
    const address = freshAddress('ada');
    await signUp(await invite(address));
    const [user] = await usersNamed(address);
    // Until then every invitation of this address is spent by it.
    await eventually(async () => (await queryDatabase('select state from bridge.registration where user_id = $1', [user!.id]))[0]?.['state'] === 'confirmed');
    const renamed = freshAddress('renamed');
    await admin.put(`/users/${user!.id}`, { ...user, username: renamed, email: renamed });
    await register(address);
    const link = (await inbox.waitForMail(address, 2)).links.find((one) => one.includes('invitation_token='))!;
    expect(isSignedIn((await signUp(link)).page)).toBe(true);
    const [next] = await usersNamed(address);
    const trials = await queryDatabase('select user_id from bridge.trial where user_id in ($1, $2)', [user!.id, next!.id]);
    expect(trials).toHaveLength(2);
  });

  test('SECURITY 3: a person cannot edit the stamp', async () => {
    const person = await createPerson(['account-console'], 3600);
    const client = await admin.create('/clients', { clientId: `cli-${person.id}`, publicClient: true, directAccessGrantsEnabled: true, standardFlowEnabled: false, fullScopeAllowed: true });
    try {
      const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/token`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: `cli-${person.id}`, grant_type: 'password', username: person.username, password: person.password }),
      });
      const { access_token } = (await answer.json()) as { access_token: string };
      const edit = async (fields: Record<string, unknown>) => {
        const saved = await fetch(`${stack().keycloak}/realms/${stack().realm}/account`, {
          method: 'POST',
          headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ username: person.username, email: person.username, ...fields }),
        });
        return { status: saved.status, user: await admin.get(`/users/${person.id}`) };
      };
      const allowed = await edit({ firstName: 'Changed' });
      expect([allowed.status, allowed.user.firstName]).toEqual([204, 'Changed']);
      const { user } = await edit({ firstName: 'Again', attributes: { trial_stamp: ['{}'] } });
      expect(JSON.parse(user.attributes.trial_stamp[0])).toMatchObject({ product: 'app' });
    } finally {
      await admin.delete(`/clients/${client}`);
    }
  });
});

test('one request id runs through proxy, Keycloak and bridge', async () => {
  const address = freshAddress('ada');
  await signUp(await invite(address));
  const [event] = await registerEvents(address, 'REGISTER');
  const requestId = event!.details['request_id']!;
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  // Lines are written together, up to a second late.
  await eventually(() => logOf('proxy').includes(requestId));
  await eventually(() => /verify.*creation/s.test(logOf('bridge').split('\n').filter((line) => line.includes(requestId)).join()));
});

test('people without a stamp cost no call of the bridge', async () => {
  const before = await questionsAboutTrials();
  await signInStamped([]);
  expect(await questionsAboutTrials()).toBe(before);
  await signInStamped(['vestibule-proxy']);
  await eventually(async () => (await questionsAboutTrials()) > before);
});

test('50 submits of one token at once: one account, one app, everybody else a clear page, no 500', async () => {
  const address = freshAddress('ada');
  const link = await invite(address);
  const visitors = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const browser = httpBrowser();
      return { browser, form: await browser.get(link) };
    }),
  );
  const pages = await Promise.all(visitors.map(({ browser, form }) => submitForm(browser, form)));
  expect(pages.filter((page) => page.status >= 500)).toEqual([]);
  expect(pages.filter(isSignedIn)).toHaveLength(1);
  const others = pages.filter((page) => !isSignedIn(page));
  expect(others.filter((page) => !/sign in|already/i.test(page.body)).map((page) => page.body)).toEqual([]);
  expect(others.filter((page) => /unexpected error/i.test(page.body))).toEqual([]);
  const users = await usersNamed(address);
  expect(users).toHaveLength(1);
  const apps = await queryDatabase('select a.id from bridge.trial_app a join bridge.trial t on t.id = a.trial_id where t.user_id = $1', [users[0]!.id]);
  expect(apps).toHaveLength(1);
  const rows = await queryDatabase('select count(*)::int as trials from bridge.trial t join bridge.registration r on r.attempt_id = t.attempt_id where r.address = $1', [address]);
  expect(rows).toEqual([{ trials: 1 }]);
});
