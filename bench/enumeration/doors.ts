import { httpBrowser, type Form } from '../../platform/http-browser.ts';
import { stack } from '../../test/support/stack.ts';
import type { Prepared } from './look.ts';
import type { People } from './people.ts';

/** A place that takes an address from anybody. */
export interface Door {
  name: string;
  /** Whose address is asked about. The first two are nobody's, the others are compared with the first. */
  kinds: Readonly<Record<string, () => string>>;
  /** Everything before the request that is timed. */
  prepare(address: string): Promise<Prepared> | Prepared;
}

const FORM = 'application/x-www-form-urlencoded';

export function doors(people: People): readonly Door[] {
  const { proxy, bridge, keycloak, realm } = stack();
  const { fresh, invited, existing, onTrial, locked } = people;
  const trial = { new: fresh, 'new again': fresh, invited, existing };
  const account = { unknown: fresh, 'unknown again': fresh, existing };
  const resetUrl = `${keycloak}/realms/${realm}/login-actions/reset-credentials?${new URLSearchParams({ client_id: 'vestibule-proxy', redirect_uri: `${proxy}/api/login` }).toString()}`;
  return [
    { name: 'register, at the bridge', kinds: trial, prepare: (username) => json(`${bridge}/api/trial/register`, { username }) },
    { name: 'register, through the proxy', kinds: trial, prepare: (username) => json(`${proxy}/api/trial/register`, { username }) },
    { name: 'resend: /trial/new-link', kinds: trial, prepare: (email) => posted(`${proxy}/trial/new-link`, { email }, { origin: proxy }, email) },
    { name: "Keycloak's password reset", kinds: account, prepare: (username) => onPage(resetUrl, 'kc-reset-password-form', { username }) },
    { name: 'login with an empty password', kinds: account, prepare: (username) => onPage(`${proxy}/api/login`, 'kc-form-login', { username, password: '' }) },
    {
      name: 'login with a wrong password',
      kinds: { ...account, 'on trial': onTrial, locked },
      prepare: (username) => onPage(`${proxy}/api/login`, 'kc-form-login', { username, password: 'a wrong pass phrase' }),
    },
  ];
}

function json(url: string, body: { username: string }): Prepared {
  return { url, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), own: [] };
}

function posted(url: string, fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>>, address: string): Prepared {
  return { url, headers: { 'content-type': FORM, ...headers }, body: new URLSearchParams(fields).toString(), own: [address] };
}

/** A form of Keycloak's, in a session of its own. */
async function onPage(url: string, formId: string, values: { username: string; password?: string }): Promise<Prepared> {
  const browser = httpBrowser();
  const form: Form = (await browser.get(url)).form(formId);
  const cookie = Object.entries(browser.cookies(form.action)).map(([name, value]) => `${name}=${value}`).join('; ');
  return posted(form.action, { ...form.fields, ...values }, { cookie }, values.username);
}
