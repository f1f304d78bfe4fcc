import { createHash, randomBytes } from 'node:crypto';
import { httpBrowser } from '../../platform/http-browser.ts';
import { stack } from '../../test/support/stack.ts';

export const PASSWORD = 'a long pass phrase';

/** A password login, from the authorization request to the redirect with a code. */
export async function signIn(realm: string, username: string): Promise<void> {
  await finish(realm, {}, 'kc-form-login', { username, password: PASSWORD });
}

/** A registration, from opening the page to the redirect with a code. With an invitation the address is locked and not posted. */
export async function signUp(realm: string, by: { invitation: string } | { address: string }): Promise<void> {
  const values = { firstName: 'Ada', lastName: 'Lovelace', password: PASSWORD, 'password-confirm': PASSWORD };
  if ('invitation' in by) await finish(realm, { prompt: 'create', invitation_token: by.invitation }, 'kc-register-form', values);
  else await finish(realm, { prompt: 'create' }, 'kc-register-form', { ...values, email: by.address });
}

async function finish(realm: string, more: Readonly<Record<string, string>>, form: string, values: Readonly<Record<string, string>>): Promise<void> {
  const callback = `${stack().proxy}/api/callback`;
  const browser = httpBrowser({ follow: (url) => !url.href.startsWith(callback) });
  const page = await browser.get(authorizationRequest(realm, callback, more));
  const end = await browser.submit(page.form(form), values);
  if (!end.url.startsWith(callback) || !new URL(end.url).searchParams.has('code')) {
    throw new Error(`${realm}: no code came of it, but ${end.status} at ${end.url.split('?', 1)[0]}. Keycloak's log names the event.`);
  }
}

function authorizationRequest(realm: string, callback: string, more: Readonly<Record<string, string>>): string {
  const challenge = createHash('sha256').update(randomBytes(32)).digest('base64url');
  const parameters = { client_id: 'vestibule-proxy', response_type: 'code', scope: 'openid', redirect_uri: callback, state: randomBytes(16).toString('hex'), nonce: randomBytes(16).toString('hex'), code_challenge: challenge, code_challenge_method: 'S256', ...more };
  return `${stack().keycloak}/realms/${realm}/protocol/openid-connect/auth?${new URLSearchParams(parameters).toString()}`;
}
