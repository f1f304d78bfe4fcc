import { describe, expect, test } from '@jest/globals';
import { httpBrowser, type Form, type HttpBrowser } from '../../../platform/http-browser.ts';
import { keycloakAdmin } from '../../support/keycloak-admin.ts';
import { freshAddress } from '../../support/person.ts';
import { queryDatabase, stack } from '../../support/stack.ts';
import { invite, isSignedIn, PASSWORD, signUp } from '../../support/visitor.ts';

const MIB = 1024 * 1024;
const FORM = 'application/x-www-form-urlencoded';
const admin = keycloakAdmin();

interface Sent {
  action: string;
  method: string;
  type: string;
  fields: [string, string][];
  /** Instead of the fields. */
  body?: string | FormData;
  /** Whose cookies go along. */
  cookies: Readonly<Record<string, string>>;
}

interface Opened {
  address: string;
  browser: HttpBrowser;
  form: Form;
}

async function open(address = freshAddress('ada'), browser = httpBrowser()): Promise<Opened> {
  return { address, browser, form: (await browser.get(await invite(address))).form('kc-register-form') };
}

/** What a browser would post, before somebody lays hands on it. */
function honest({ form, browser }: Opened): Sent {
  const fields = { ...form.fields, firstName: 'Ada', lastName: 'Lovelace', password: PASSWORD, 'password-confirm': PASSWORD };
  return { action: form.action, method: 'POST', type: FORM, fields: Object.entries(fields), cookies: browser.cookies(form.action) };
}

async function send({ action, method, type, fields, body, cookies }: Sent): Promise<{ status: number; location: string | null; body: string }> {
  const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ');
  const content = method === 'GET' ? undefined : (body ?? new URLSearchParams(fields).toString());
  const answer = await fetch(action, { method, redirect: 'manual', headers: { cookie, ...(type === '' ? {} : { 'content-type': type }) }, ...(content === undefined ? {} : { body: content }) });
  return { status: answer.status, location: answer.headers.get('location'), body: await answer.text() };
}

async function traces(address: string): Promise<unknown[]> {
  const users: unknown[] = await admin.get(`/users?${new URLSearchParams({ search: address })}`);
  return [...users, ...(await queryDatabase('select attempt_id from bridge.registration where address = $1', [address]))];
}

function withParameter(action: string, name: string, from: string): string {
  const [url, other] = [new URL(action), new URL(from)];
  url.searchParams.set(name, other.searchParams.get(name) ?? '');
  return url.href;
}

const added = (...more: [string, string][]) => (sent: Sent): Sent => ({ ...sent, fields: [...sent.fields, ...more] });
const insteadOf = (name: string, ...values: string[]) => (sent: Sent): Sent => ({ ...sent, fields: [...sent.fields.filter(([one]) => one !== name), ...values.map((value): [string, string] => [name, value])] });
const inParts = (sent: Sent): Sent => {
  const body = new FormData();
  for (const [name, value] of sent.fields) body.append(name, value);
  return { ...sent, type: '', body };
};
const cyrillic = (address: string) => address.replace('a', '\u0430');

type Tamper = (sent: Sent, opened: Opened) => Sent | Promise<Sent>;

const SPELLINGS: readonly [string, (address: string) => string][] = [
  ['in capitals', (address) => address.toUpperCase()],
  ['with one capital', (address) => address.replace('a', 'A')],
  ['with a Cyrillic letter', cyrillic],
  ['with a full-width @', (address) => address.replace('@', '＠')],
  ['with a blank behind', (address) => `${address} `],
  ['with a blank before', (address) => ` ${address}`],
  ['with a zero-width blank', (address) => `${address}\u200B`],
  ['with a null byte', (address) => `${address}\0`],
  ['with a line break', (address) => `${address}\r\n`],
  ['with a plus tag', (address) => address.replace('@', '+x@')],
  ['with a dot at the end', (address) => `${address}.`],
  ['of somebody else', () => 'eve@example.com'],
  ['left empty', () => ''],
];

const REFUSED: Readonly<Record<string, Tamper>> = {
  ...Object.fromEntries(
    ['email', 'username'].flatMap((name) => [
      ...SPELLINGS.map(([how, spelled]): [string, Tamper] => [`${name} ${how}`, (sent, { address }) => added([name, spelled(address)])(sent)]),
      [`${name} twice, the right one first`, (sent: Sent, { address }: Opened) => added([name, address], [name, 'eve@example.com'])(sent)],
      [`${name} twice, the right one last`, (sent: Sent, { address }: Opened) => added([name, 'eve@example.com'], [name, address])(sent)],
    ]),
  ),
  'no password': insteadOf('password'),
  'a password that is not confirmed': insteadOf('password-confirm', 'another pass phrase'),
  'a first name of 256 characters': insteadOf('firstName', 'x'.repeat(256)),
  'a body of 1 MiB': added(['firstName', 'x'.repeat(MIB)]),
  JSON: (sent) => ({ ...sent, type: 'application/json', body: JSON.stringify(Object.fromEntries(sent.fields)) }),
  text: (sent) => ({ ...sent, type: 'text/plain' }),
  'no content type': (sent) => ({ ...sent, type: '', body: '' }),
  'email of somebody else, in a form in parts': (sent) => inParts(added(['email', 'eve@example.com'])(sent)),
  'GET, the fields in the address': (sent) => ({ ...sent, method: 'GET', action: `${sent.action}&${new URLSearchParams(sent.fields).toString()}` }),
  PUT: (sent) => ({ ...sent, method: 'PUT' }),
  'no cookies: another browser, or an old session after a restart': (sent) => ({ ...sent, cookies: {} }),
  'the cookies of another visitor': async (sent) => ({ ...sent, cookies: honest(await open()).cookies }),
  'the session code of another visitor': async (sent) => ({ ...sent, action: withParameter(sent.action, 'session_code', (await open()).form.action) }),
  'a session code of nobody': (sent) => ({ ...sent, action: withParameter(sent.action, 'session_code', 'none:?session_code=x') }),
  'no session code': (sent) => ({ ...sent, action: withParameter(sent.action, 'session_code', 'none:?') }),
  'the tab of another visitor': async (sent) => ({ ...sent, action: withParameter(sent.action, 'tab_id', (await open()).form.action) }),
  'the execution of the login form': async (sent) => {
    const login = (await httpBrowser().get(`${stack().proxy}/api/login`)).form('kc-form-login');
    return { ...sent, action: withParameter(sent.action, 'execution', login.action) };
  },
  'email of somebody else, at the address of the login form': (sent) => ({ ...added(['email', 'eve@example.com'])(sent), action: sent.action.replace('/registration', '/authenticate') }),
};

describe('the registration form refuses, and makes nothing of,', () => {
  test.each(Object.entries(REFUSED))('%s', async (_, tamper) => {
    const opened = await open();
    const answer = await send(await tamper(honest(opened), opened));
    expect(answer.status).toBeLessThan(500);
    expect(answer.location ?? '').not.toMatch(/[?&]code=/);
    expect(await traces(opened.address)).toEqual([]);
    expect(await admin.get('/users?search=eve@example.com')).toEqual([]);
    expect(answer.body).not.toContain(PASSWORD);
  });
});

const openBoth = async () => {
  const browser = httpBrowser();
  return [await open(freshAddress('ada'), browser), await open(freshAddress('eve'), browser)] as const;
};
const withPartsOf = (other: Opened, parts: readonly string[]) => (sent: Sent): Sent => ({ ...sent, action: parts.reduce((action, part) => withParameter(action, part, other.form.action), sent.action) });

describe('two invitations in two tabs of one browser: the form of one, sent with', () => {
  const SOME = [['execution'], ['tab_id'], ['session_code'], ['client_data'], ['execution', 'tab_id'], ['execution', 'session_code']];
  test.each(SOME.map((parts) => [parts]))('%j of the other, makes nothing under the other address', async (parts) => {
    const [ada, eve] = await openBoth();
    expect((await send(withPartsOf(eve, parts)(honest(ada)))).status).toBeLessThan(500);
    expect(await traces(eve.address)).toEqual([]);
  });

  // With tab and code it is the other form: what tells is the address that went along.
  test.each([[['tab_id', 'session_code']], [['execution', 'tab_id', 'session_code', 'client_data']]])('%j of the other and the own address, makes nothing under either', async (parts) => {
    const [ada, eve] = await openBoth();
    expect((await send(added(['email', ada.address])(withPartsOf(eve, parts)(honest(ada))))).status).toBeLessThan(500);
    expect([await traces(ada.address), await traces(eve.address)]).toEqual([[], []]);
  });

  test('nothing of the other makes the account that it shows, and that alone', async () => {
    const [ada, eve] = await openBoth();
    expect((await send(honest(ada))).location).toMatch(/[?&]code=/);
    const users: { username: string }[] = await admin.get(`/users?${new URLSearchParams({ search: ada.address })}`);
    expect([users.map(({ username }) => username), await traces(eve.address)]).toEqual([[ada.address], []]);
  });
});

describe('the registration form takes no notice of', () => {
  const IGNORED: readonly [string, [string, string][]][] = [
    ['a stamp', [['trial_stamp', '{"product":"app","state":"active","clients":[]}']]],
    ['a stamp in the old spelling', [['user.attributes.trial_stamp', '{}'], ['attributes[trial_stamp]', '{}'], ['attributes.trial_stamp', '{}']]],
    ['attributes that the profile does not have', [['phone', '1'], ['user.attributes.phone', '1']]],
    ['another invitation', [['invitation_token', 'A'.repeat(43)], ['token', 'A'.repeat(43)]]],
    ['roles and groups', [['realmRoles', 'staff'], ['roles', 'staff'], ['groups', '/staff']]],
    ['what an admin may set', [['enabled', 'false'], ['emailVerified', 'false'], ['id', 'x'], ['requiredActions', 'UPDATE_PASSWORD'], ['federationLink', 'x']]],
    ['an identity provider', [['kc_idp_hint', 'google'], ['identityProvider', 'google']]],
    ['names of JavaScript', [['__proto__', 'x'], ['constructor', 'x']]],
  ];

  test.each(IGNORED)('%s', async (_, more) => {
    const opened = await open();
    const answer = await send(added(...more)(honest(opened)));
    expect([answer.status, /[?&]code=/.test(answer.location ?? '')]).toEqual([302, true]);
    const [{ id }] = await admin.get(`/users?${new URLSearchParams({ username: opened.address, exact: 'true' })}`);
    const user = await admin.get(`/users/${id}`);
    expect(user).toMatchObject({ enabled: true, emailVerified: true, requiredActions: [] });
    expect(Object.keys(user.attributes).filter((name) => name !== 'locale')).toEqual(['trial_stamp']);
    expect(JSON.parse(user.attributes.trial_stamp[0])).toMatchObject({ product: 'app', clients: ['vestibule-proxy'] });
    expect((await admin.get(`/users/${id}/role-mappings/realm`)).map(({ name }: { name: string }) => name).toSorted()).toEqual(['default-roles-vestibule', 'trial-user']);
    expect((await admin.get(`/users/${id}/groups`)).map(({ path }: { path: string }) => path)).toEqual(['/vestibule-trials']);
  });

  test('a second password: the first one, which was confirmed, opens the account and the other does not', async () => {
    const opened = await open();
    await send(added(['password', 'another pass phrase'], ['password-confirm', 'another pass phrase'])(honest(opened)));
    const signIn = async (password: string) => {
      const browser = httpBrowser();
      const login = await browser.get(`${stack().proxy}/api/login`);
      return isSignedIn(await browser.submit(login.form('kc-form-login'), { username: opened.address, password }));
    };
    expect([await signIn('another pass phrase'), await signIn(PASSWORD)]).toEqual([false, true]);
  });
});

test('a thousand and one fields are more than Keycloak reads: 500 by its HTTP server, before any step, and nothing is made', async () => {
  const opened = await open();
  const answer = await send(added(...Array.from({ length: 1001 }, (_, at): [string, string] => [`a${at}`, 'x']))(honest(opened)));
  expect(answer.location).toBeNull();
  expect(await traces(opened.address)).toEqual([]);
});

test('a form whose account is made already, sent once more, makes no second one and breaks nothing', async () => {
  const opened = await open();
  const sent = honest(opened);
  expect((await send(sent)).status).toBe(302);
  const again = await send(sent);
  expect(again.status).toBeLessThan(500);
  expect(await queryDatabase('select attempt_id from bridge.registration where address = $1', [opened.address])).toHaveLength(1);
});

test('after every kind of refusal the link is as good as before', async () => {
  const address = freshAddress('ada');
  const link = await invite(address);
  for (const tamper of [added(['email', 'eve@example.com']), insteadOf('password'), REFUSED['JSON']!, REFUSED['a body of 1 MiB']!]) {
    const browser = httpBrowser();
    const opened: Opened = { address, browser, form: (await browser.get(link)).form('kc-register-form') };
    await send(await tamper(honest(opened), opened));
  }
  expect(isSignedIn((await signUp(link)).page)).toBe(true);
});
