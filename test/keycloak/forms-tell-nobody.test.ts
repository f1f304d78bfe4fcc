import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { answerAbout } from '../support/answer.ts';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { createPerson, freshAddress } from '../support/person.ts';
import { openRelay, type Relay } from '../support/relay.ts';
import { inbox, logOf, stack } from '../support/stack.ts';
import { isSignedIn } from '../support/visitor.ts';

/** SECURITY.md 13, without a clock: what is done for one and not for another is counted, or held and seen to be held. */
const admin = keycloakAdmin();

interface Somebody {
  username: string;
  id?: string;
}

const PEOPLE: Readonly<Record<string, () => Promise<Somebody>>> = {
  nobody: async () => ({ username: freshAddress('nobody') }),
  'somebody with an account': () => createPerson([], 0),
  'somebody disabled': async () => {
    const person = await createPerson([], 0);
    await admin.put(`/users/${person.id}`, { enabled: false });
    return person;
  },
  'somebody locked for wrong passwords': async () => {
    const person = await createPerson([], 0);
    await lock(person);
    return person;
  },
  'somebody without a password': async () => {
    const username = freshAddress('person');
    return { username, id: await admin.create('/users', { username, email: username, emailVerified: true, enabled: true }) };
  },
  'a service account, without an e-mail address': async () => {
    const [client] = await admin.get('/clients?clientId=vestibule-bridge');
    const { id, username } = await admin.get(`/clients/${client.id}/service-account-user`);
    return { id, username };
  },
};
const EVERYBODY = Object.keys(PEOPLE).slice(1);

async function lock({ id, username }: { id: string; username: string }): Promise<void> {
  const { keycloak, realm } = stack();
  const body = () => new URLSearchParams({ client_id: 'admin-cli', grant_type: 'password', username, password: 'a wrong pass phrase' });
  await eventually(async () => {
    await Promise.all([1, 2].map(() => fetch(`${keycloak}/realms/${realm}/protocol/openid-connect/token`, { method: 'POST', body: body() })));
    return (await admin.get(`/attack-detection/brute-force/users/${id}`)).disabled;
  });
}

async function forget({ username }: Somebody, browser = httpBrowser()): Promise<Visit> {
  const login = await browser.get(`${stack().proxy}/api/login`);
  const ask = await browser.get(login.link(/reset-credentials/));
  return browser.submit(ask.form('kc-reset-password-form'), { username });
}

/** A service account is there for all tests. */
const forgetEvents = () => admin.delete('/events');

async function signIn({ username }: Somebody, password: string, browser: HttpBrowser = httpBrowser()): Promise<Visit> {
  const login = await browser.get(`${stack().proxy}/api/login`);
  return browser.submit(login.form('kc-form-login'), { username, password });
}

interface KeycloakEvent {
  type: string;
  error?: string;
  userId?: string;
  details: Record<string, string>;
}

/** Of forms: a direct grant is how the tests lock somebody. */
async function eventsOf({ username }: Somebody): Promise<KeycloakEvent[]> {
  const events: KeycloakEvent[] = await admin.get('/events?max=300');
  return events.filter((event) => event.details?.['username'] === username && event.details['grant_type'] === undefined);
}

const mailsTo = async (address: string) => (await inbox.messages()).filter((message) => message.to === address);

describe('SECURITY 13: a forgotten password', () => {
  let ofNobody: object;
  beforeAll(async () => {
    const nobody = await PEOPLE['nobody']!();
    ofNobody = answerAbout(nobody.username, await forget(nobody));
  });

  test.each(EVERYBODY)('of %s has the answer that nobody’s has', async (who) => {
    const person = await PEOPLE[who]!();
    expect(answerAbout(person.username, await forget(person))).toEqual(ofNobody);
  });

  test.each([
    ['nobody', 'user_not_found', false],
    ['somebody disabled', 'user_disabled', true],
    ['a service account, without an e-mail address', 'invalid_email', true],
  ])('of %s is an event, %s, written after the answer', async (who, error, named) => {
    const person = await PEOPLE[who]!();
    await forgetEvents();
    await forget(person);
    const [event] = await eventually(async () => {
      const found = await eventsOf(person);
      return found.length > 0 ? found : undefined;
    });
    expect(event).toMatchObject({ type: 'RESET_PASSWORD_ERROR', error });
    expect(event?.userId).toBe(named ? person.id : undefined);
    const looked = logOf('keycloak').split('\n').filter((line) => line.includes(person.username) && line.includes('RESET_PASSWORD_ERROR'));
    expect(looked.every((line) => line.includes('(vestibule-reset-mail)'))).toBe(true);
  });

  test('of a name that is empty is asked again', async () => {
    expect((await forget({ username: '' })).body).toContain('kc-reset-password-form');
  });

  test('speaks the language that the page had', async () => {
    const person = await createPerson([], 0);
    const browser = httpBrowser();
    const login = await browser.get(`${stack().proxy}/api/login`);
    const ask = await browser.get(`${login.link(/reset-credentials/)}&kc_locale=fr`);
    await browser.submit(ask.form('kc-reset-password-form'), { username: person.username });
    expect((await inbox.waitForMail(person.username)).subject).toBe('Réinitialiser le mot de passe');
  });

  describe('and a mail server in trouble', () => {
    let relay: Relay;
    let smtpServer: Record<string, string>;

    async function throughRelay(): Promise<void> {
      ({ smtpServer } = await admin.get(''));
      relay = await openRelay(Number(smtpServer['port']));
      await admin.put('', { smtpServer: { ...smtpServer, port: String(relay.port) } });
    }

    afterEach(async () => {
      await admin.put('', { smtpServer });
      await relay.close();
    });

    test('that says nothing holds no answer; when it goes on the mail comes, once', async () => {
      await throughRelay();
      relay.inject({ sees: 'EHLO', does: 'hold-request' });
      const person = await createPerson([], 0);
      expect(answerAbout(person.username, await forget(person))).toEqual(ofNobody);
      await eventually(async () => relay.held() === 1);
      expect(await mailsTo(person.username)).toEqual([]);
      relay.release();
      await inbox.waitForMail(person.username);
      await eventually(async () => (await eventsOf(person)).some((event) => event.type === 'SEND_RESET_PASSWORD'));
      expect(await mailsTo(person.username)).toHaveLength(1);
    });

    test('that refuses is an event, not an answer; when it is back the mail comes, and its link works', async () => {
      await throughRelay();
      await relay.refuse();
      const person = await createPerson([], 0);
      const browser = httpBrowser();
      expect(answerAbout(person.username, await forget(person, browser))).toEqual(ofNobody);
      await eventually(async () => (await eventsOf(person)).some((event) => event.type === 'SEND_RESET_PASSWORD_ERROR' && event.error === 'email_send_failed'));
      await relay.mend();
      const mail = await inbox.waitForMail(person.username);
      const choose = await browser.get(mail.links.find((link) => link.includes('action-token'))!);
      const page = await browser.submit(choose.form(), { 'password-new': 'another pass phrase', 'password-confirm': 'another pass phrase' });
      expect(isSignedIn(page)).toBe(true);
    });
  });
});

describe.each([
  ['an empty password', ''],
  ['a wrong password', 'a wrong pass phrase'],
])('SECURITY 13: sign-in with %s', (_, password) => {
  test.each(EVERYBODY)('has for %s the answer that nobody gets', async (who) => {
    const nobody = await PEOPLE['nobody']!();
    const person = await PEOPLE[who]!();
    expect(answerAbout(person.username, await signIn(person, password))).toEqual(answerAbout(nobody.username, await signIn(nobody, password)));
  });
});

describe('SECURITY 13: an empty password', () => {
  test.each(Object.keys(PEOPLE))('of %s is refused before anybody is looked at', async (who) => {
    const person = await PEOPLE[who]!();
    await forgetEvents();
    await signIn(person, '');
    const [event] = await eventually(async () => {
      const found = await eventsOf(person);
      return found.length > 0 ? found : undefined;
    });
    expect(event).toMatchObject({ type: 'LOGIN_ERROR', error: 'invalid_user_credentials' });
    expect(event?.userId).toBeUndefined();
  });

  test('leaves the form as it was: the right one signs in, and the name is still there', async () => {
    const person = await createPerson([], 0);
    const browser = httpBrowser();
    const again = await signIn(person, '', browser);
    expect(again.form('kc-form-login').fields['username']).toBe(person.username);
    expect(isSignedIn(await browser.submit(again.form('kc-form-login'), { password: person.password }))).toBe(true);
  });

  test('of somebody who is known and proves it again is refused, and the right one taken', async () => {
    const person = await createPerson([], 0);
    const returnTo = 'http://localhost:1/returned';
    const clientId = freshAddress('client').replace(/@.*/, '');
    const client = await admin.create('/clients', { clientId, publicClient: true, redirectUris: [returnTo] });
    try {
      const url = (more: Record<string, string>) =>
        `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/auth?${new URLSearchParams({ client_id: clientId, redirect_uri: returnTo, response_type: 'code', scope: 'openid', ...more })}`;
      const browser = httpBrowser();
      const first = await browser.get(url({ login_hint: person.username }));
      expect(first.form('kc-form-login').fields['username']).toBe(person.username);
      await browser.submit(first.form('kc-form-login'), { password: person.password });
      const asked = await browser.get(url({ prompt: 'login' }));
      expect(asked.form('kc-form-login').fields).not.toHaveProperty('username');
      const again = await browser.submit(asked.form('kc-form-login'), { password: '' });
      expect(again.form('kc-form-login').fields).not.toHaveProperty('username');
      const page = await browser.submit(again.form('kc-form-login'), { password: person.password });
      expect(page.url).toContain(`${returnTo}?`);
    } finally {
      await admin.delete(`/clients/${client}`);
    }
  });
});
