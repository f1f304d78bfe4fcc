import { expect } from '@jest/globals';
import { httpBrowser, type HttpBrowser, type Visit } from '../../../platform/http-browser.ts';
import { authenticator } from '../../support/authenticator.ts';
import { keycloakAdmin, type KeycloakAdmin } from '../../support/keycloak-admin.ts';
import type { Person } from '../../support/person.ts';
import { inbox, stack } from '../../support/stack.ts';

/** The clients of one product, through which its people come in. */
export interface ProductClients {
  main: string;
  /** With a browser flow of its own. */
  overridden: string;
  saml: string;
}

export type Answer = 'in' | 'refused';
/** Whatever comes before the decision, then `end`, then the request that Keycloak decides on. */
export type WayIn = (person: Person, clients: ProductClients, end: () => Promise<void>) => Promise<Answer>;

export const RETURN_TO = 'http://localhost:1/returned';
const SECRET = 'ways-in-secret';
/** How long before its end a trial is judged at most; the first that is long enough for the way counts. */
const MARGINS_SECONDS = [2, 4, 8, 16];
const OFFLINE = 'openid offline_access';
const admin = keycloakAdmin();

export const clientsNamed = (name: string): ProductClients => ({ main: name, overridden: `${name}-overridden`, saml: `${name}-saml` });

/** Answers how to take them away again. */
export async function makeClients(keycloak: KeycloakAdmin, { main, overridden, saml }: ProductClients): Promise<() => Promise<void>> {
  const browserFlow = (await keycloak.get('/authentication/flows')).find((flow: { alias: string }) => flow.alias === 'browser');
  const client = {
    clientId: main,
    secret: SECRET,
    publicClient: false,
    standardFlowEnabled: true,
    implicitFlowEnabled: true,
    directAccessGrantsEnabled: true,
    fullScopeAllowed: false,
    redirectUris: [RETURN_TO],
    optionalClientScopes: ['offline_access'],
    protocolMappers: [{ name: 'trial', protocol: 'openid-connect', protocolMapper: 'vestibule-trial-claims', config: { 'access.token.claim': 'true' } }],
    attributes: {
      'oauth2.device.authorization.grant.enabled': 'true',
      'standard.token.exchange.enabled': 'true',
      'standard.token.exchange.enableRefreshRequestedTokenType': 'SAME_SESSION',
    },
  };
  const made: string[] = [];
  for (const one of [
    client,
    { ...client, clientId: overridden, authenticationFlowBindingOverrides: { browser: browserFlow.id } },
    {
      clientId: saml,
      protocol: 'saml',
      redirectUris: [RETURN_TO],
      attributes: {
        saml_idp_initiated_sso_url_name: saml,
        saml_assertion_consumer_url_post: RETURN_TO,
        'saml.client.signature': 'false',
        'saml.force.post.binding': 'true',
      },
    },
  ]) {
    made.push(`/clients/${await keycloak.create('/clients', one)}`);
  }
  return async () => {
    for (const path of made) await keycloak.delete(path);
  };
}

const tokenUrl = () => `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/token`;

export function authorizationUrl(client: string, parameters: Record<string, string> = {}): string {
  const query = new URLSearchParams({ client_id: client, redirect_uri: RETURN_TO, response_type: 'code', scope: 'openid', nonce: 'n', ...parameters });
  return `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/auth?${query}`;
}

export async function tokens(clientId: string, parameters: Record<string, string>): Promise<{ status: number; body: Record<string, string> }> {
  const answer = await fetch(tokenUrl(), { method: 'POST', body: new URLSearchParams({ client_id: clientId, client_secret: SECRET, ...parameters }) });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
}

/** Where a browser stands after it signed in: on the way back to the client, or on a page of Keycloak. */
export async function signIn(browser: HttpBrowser, person: Person, url: string, values: Record<string, string> = {}): Promise<Visit> {
  const page = await browser.get(url);
  return browser.submit(page.form('kc-form-login'), { username: person.username, password: person.password, ...values });
}

export function judge(page: Visit): Answer {
  if (page.url.startsWith(RETURN_TO)) return /[?#&](code|access_token|id_token)=/.test(page.url) ? 'in' : 'refused';
  if (page.body.includes('SAMLResponse')) return 'in';
  expect(page.body).toContain('Your trial has ended');
  return 'refused';
}

export function judgeTokens({ status, body }: { status: number; body: Record<string, string> }): Answer {
  if (status === 200) return 'in';
  expect({ status, error: body['error'] }).toEqual({ status: 400, error: 'invalid_grant' });
  return 'refused';
}

function codeOf(page: Visit): string {
  const code = new URL(page.url).searchParams.get('code');
  if (code === null) throw new Error(`There is no code at ${page.url} (${page.status}):\n${page.body.slice(0, 2000)}`);
  return code;
}

export async function signedInTokens(person: Person, client: string, scope = 'openid', browser = httpBrowser()): Promise<Record<string, string>> {
  const page = await signIn(browser, person, authorizationUrl(client, { scope }));
  const { body } = await tokens(client, { grant_type: 'authorization_code', code: codeOf(page), redirect_uri: RETURN_TO });
  return body;
}

/** Keycloak's clock runs on, so a judgement counts only if its answer was there before the end that `ask` set, in epoch seconds. */
export async function justBeforeTheEnd<T>(ask: (marginSeconds: number) => Promise<{ answer: T; end: number }>): Promise<T> {
  for (const margin of MARGINS_SECONDS) {
    const { answer, end } = await ask(margin);
    if (Date.now() < end * 1000) return answer;
  }
  throw new Error(`Nothing was answered within ${MARGINS_SECONDS.at(-1)} s.`);
}

export const WAYS_IN: Record<string, WayIn> = {
  password: async (person, { main }, end) => {
    await end();
    return judge(await signIn(httpBrowser(), person, authorizationUrl(main)));
  },
  'a passkey': async (person, { main }, end) => {
    const device = authenticator();
    await admin.put(`/users/${person.id}`, { ...(await admin.get(`/users/${person.id}`)), credentials: [device.credentialFor(person.id)] });
    await end();
    const browser = httpBrowser();
    const page = await browser.get(authorizationUrl(main));
    return judge(await browser.submit(page.form('webauth'), device.prove(page)));
  },
  'the cookie of a session': async (person, { main }, end) => {
    const browser = httpBrowser();
    await signIn(browser, person, authorizationUrl(main));
    await end();
    return judge(await browser.get(authorizationUrl(main)));
  },
  'remember me': async (person, { main }, end) => {
    const browser = httpBrowser();
    await signIn(browser, person, authorizationUrl(main), { rememberMe: 'on' });
    browser.restart();
    await end();
    return judge(await browser.get(authorizationUrl(main)));
  },
  'prompt=none': async (person, { main }, end) => {
    const browser = httpBrowser();
    await signIn(browser, person, authorizationUrl(main));
    await end();
    return judge(await browser.get(authorizationUrl(main, { prompt: 'none' })));
  },
  'direct grant': async (person, { main }, end) => {
    await end();
    return judgeTokens(await tokens(main, { grant_type: 'password', username: person.username, password: person.password, scope: 'openid' }));
  },
  refresh: async (person, { main }, end) => {
    const { refresh_token } = await signedInTokens(person, main);
    await end();
    return judgeTokens(await tokens(main, { grant_type: 'refresh_token', refresh_token: refresh_token! }));
  },
  'offline refresh': async (person, { main }, end) => {
    const { refresh_token } = await signedInTokens(person, main, OFFLINE);
    await end();
    return judgeTokens(await tokens(main, { grant_type: 'refresh_token', refresh_token: refresh_token! }));
  },
  'code exchange': async (person, { main }, end) => {
    const page = await signIn(httpBrowser(), person, authorizationUrl(main));
    await end();
    return judgeTokens(await tokens(main, { grant_type: 'authorization_code', code: codeOf(page), redirect_uri: RETURN_TO }));
  },
  'a client with a browser flow of its own': async (person, { overridden }, end) => {
    await end();
    const page = await signIn(httpBrowser(), person, authorizationUrl(overridden));
    return judgeTokens(await tokens(overridden, { grant_type: 'authorization_code', code: codeOf(page), redirect_uri: RETURN_TO }));
  },
  implicit: async (person, { main }, end) => {
    const browser = httpBrowser();
    await signIn(browser, person, authorizationUrl(main));
    await end();
    return judge(await browser.get(authorizationUrl(main, { response_type: 'id_token token' })));
  },
  hybrid: async (person, { main }, end) => {
    const browser = httpBrowser();
    await signIn(browser, person, authorizationUrl(main));
    await end();
    return judge(await browser.get(authorizationUrl(main, { response_type: 'code id_token' })));
  },
  'user info, by a token that is older than the end': async (person, { main }, end) => {
    const { access_token } = await signedInTokens(person, main);
    await end();
    const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/userinfo`, { headers: { authorization: `Bearer ${access_token}` } });
    if (answer.status === 200) return 'in';
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([400, expect.stringContaining('error="invalid_grant"')]);
    return 'refused';
  },
  'token exchange': async (person, { main }, end) => {
    const { access_token } = await signedInTokens(person, main);
    await end();
    return judgeTokens(
      await tokens(main, {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: access_token!,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    );
  },
  device: async (person, { main }, end) => {
    const device = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/auth/device`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: main, client_secret: SECRET, scope: 'openid' }),
    });
    const { device_code, verification_uri_complete } = (await device.json()) as Record<string, string>;
    const browser = httpBrowser();
    const consent = await signIn(browser, person, verification_uri_complete!);
    await browser.submit(consent.form(), { accept: 'Yes' });
    await end();
    return judgeTokens(await tokens(main, { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device_code! }));
  },
  'a forgotten password': async (person, { main }, end) => {
    await end();
    const browser = httpBrowser();
    const login = await browser.get(authorizationUrl(main));
    const ask = await browser.get(login.link(/reset-credentials/));
    await browser.submit(ask.form(), { username: person.username });
    const mail = await inbox.waitForMail(person.username);
    const choose = await browser.get(mail.links.find((link) => link.includes('action-token'))!);
    if (!choose.body.includes('password-new')) return judge(choose);
    return judge(await browser.submit(choose.form(), { 'password-new': 'another pass phrase', 'password-confirm': 'another pass phrase' }));
  },
  'an action link sent by an admin': async (person, { main }, end) => {
    await end();
    const query = new URLSearchParams({ client_id: main, redirect_uri: RETURN_TO });
    await admin.put(`/users/${person.id}/execute-actions-email?${query}`, ['UPDATE_PASSWORD']);
    const mail = await inbox.waitForMail(person.username);
    const browser = httpBrowser();
    const hello = await browser.get(mail.links.find((link) => link.includes('action-token'))!);
    const choose = await browser.get(hello.link(/action-token|required-action/));
    await browser.submit(choose.form(), { 'password-new': 'another pass phrase', 'password-confirm': 'another pass phrase' });
    const after = await browser.get(authorizationUrl(main));
    if (after.body.includes('kc-form-login')) return judge(await browser.submit(after.form('kc-form-login'), { username: person.username, password: 'another pass phrase' }));
    return judge(after);
  },
  SAML: async (person, { saml }, end) => {
    await end();
    return judge(await signIn(httpBrowser(), person, `${stack().keycloak}/realms/${stack().realm}/protocol/saml/clients/${saml}`));
  },
};
