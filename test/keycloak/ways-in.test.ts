import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../support/http-browser.ts';
import { createPerson, setStamp, type Person } from '../support/person.ts';
import { inbox, stack } from '../support/stack.ts';

/**
 * SECURITY.md 4: every way to a session or a token, tried before the end of the trial and after it. The people here are
 * stamped and unknown to the bridge, so Keycloak judges them by the stamp, with its own clock.
 */
const CLIENT = 'ways-in';
const SECRET = 'ways-in-secret';
const OVERRIDDEN = 'ways-in-overridden';
const SAML = 'ways-in-saml';
const RETURN_TO = 'http://localhost:1/returned';
const OFFLINE = 'openid offline_access';

type Answer = 'in' | 'refused';
/** `end` moves the trial's end into the past, or does nothing. */
type WayIn = (person: Person, end: () => Promise<void>) => Promise<Answer>;

const admin = keycloakAdmin();
const made: string[] = [];

beforeAll(async () => {
  const browserFlow = (await admin.get('/authentication/flows')).find((flow: { alias: string }) => flow.alias === 'browser');
  const client = {
    clientId: CLIENT,
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
  for (const one of [
    client,
    { ...client, clientId: OVERRIDDEN, authenticationFlowBindingOverrides: { browser: browserFlow.id } },
    {
      clientId: SAML,
      protocol: 'saml',
      redirectUris: [RETURN_TO],
      attributes: {
        saml_idp_initiated_sso_url_name: SAML,
        saml_assertion_consumer_url_post: RETURN_TO,
        'saml.client.signature': 'false',
        'saml.force.post.binding': 'true',
      },
    },
  ]) {
    made.push(`/clients/${await admin.create('/clients', one)}`);
  }
});

afterAll(async () => {
  for (const path of made) await admin.delete(path);
});

const tokenUrl = () => `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/token`;

function authorizationUrl(parameters: Record<string, string> = {}): string {
  const query = new URLSearchParams({ client_id: CLIENT, redirect_uri: RETURN_TO, response_type: 'code', scope: 'openid', nonce: 'n', ...parameters });
  return `${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/auth?${query}`;
}

async function tokens(parameters: Record<string, string>, clientId = CLIENT): Promise<{ status: number; body: Record<string, string> }> {
  const answer = await fetch(tokenUrl(), { method: 'POST', body: new URLSearchParams({ client_id: clientId, client_secret: SECRET, ...parameters }) });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
}

/** Where a browser stands after it signed in: on the way back to the client, or on a page of Keycloak. */
async function signIn(browser: HttpBrowser, person: Person, url = authorizationUrl(), values: Record<string, string> = {}): Promise<Visit> {
  const page = await browser.get(url);
  return browser.submit(page.form('kc-form-login'), { username: person.username, password: person.password, ...values });
}

function judge(page: Visit): Answer {
  if (page.url.startsWith(RETURN_TO)) return /[?#&](code|access_token|id_token)=/.test(page.url) ? 'in' : 'refused';
  if (page.body.includes('SAMLResponse')) return 'in';
  expect(page.body).toContain('Your trial has ended');
  return 'refused';
}

function judgeTokens({ status, body }: { status: number; body: Record<string, string> }): Answer {
  if (status === 200) return 'in';
  expect({ status, error: body['error'] }).toEqual({ status: 400, error: 'invalid_grant' });
  return 'refused';
}

function codeOf(page: Visit): string {
  const code = new URL(page.url).searchParams.get('code');
  if (code === null) throw new Error(`There is no code at ${page.url} (${page.status}):\n${page.body.slice(0, 2000)}`);
  return code;
}

async function signedInTokens(person: Person, scope = 'openid'): Promise<Record<string, string>> {
  const page = await signIn(httpBrowser(), person, authorizationUrl({ scope }));
  const { body } = await tokens({ grant_type: 'authorization_code', code: codeOf(page), redirect_uri: RETURN_TO });
  return body;
}

const WAYS_IN: Record<string, WayIn> = {
  password: async (person, end) => {
    await end();
    return judge(await signIn(httpBrowser(), person));
  },
  'the cookie of a session': async (person, end) => {
    const browser = httpBrowser();
    await signIn(browser, person);
    await end();
    return judge(await browser.get(authorizationUrl()));
  },
  'remember me': async (person, end) => {
    const browser = httpBrowser();
    await signIn(browser, person, authorizationUrl(), { rememberMe: 'on' });
    browser.restart();
    await end();
    return judge(await browser.get(authorizationUrl()));
  },
  'prompt=none': async (person, end) => {
    const browser = httpBrowser();
    await signIn(browser, person);
    await end();
    return judge(await browser.get(authorizationUrl({ prompt: 'none' })));
  },
  'direct grant': async (person, end) => {
    await end();
    return judgeTokens(await tokens({ grant_type: 'password', username: person.username, password: person.password, scope: 'openid' }));
  },
  refresh: async (person, end) => {
    const { refresh_token } = await signedInTokens(person);
    await end();
    return judgeTokens(await tokens({ grant_type: 'refresh_token', refresh_token: refresh_token! }));
  },
  'offline refresh': async (person, end) => {
    const { refresh_token } = await signedInTokens(person, OFFLINE);
    await end();
    return judgeTokens(await tokens({ grant_type: 'refresh_token', refresh_token: refresh_token! }));
  },
  'code exchange': async (person, end) => {
    const page = await signIn(httpBrowser(), person);
    await end();
    return judgeTokens(await tokens({ grant_type: 'authorization_code', code: codeOf(page), redirect_uri: RETURN_TO }));
  },
  'a client with a browser flow of its own': async (person, end) => {
    await end();
    const page = await signIn(httpBrowser(), person, authorizationUrl({ client_id: OVERRIDDEN }));
    return judgeTokens(await tokens({ grant_type: 'authorization_code', code: codeOf(page), redirect_uri: RETURN_TO }, OVERRIDDEN));
  },
  implicit: async (person, end) => {
    const browser = httpBrowser();
    await signIn(browser, person);
    await end();
    return judge(await browser.get(authorizationUrl({ response_type: 'id_token token' })));
  },
  hybrid: async (person, end) => {
    const browser = httpBrowser();
    await signIn(browser, person);
    await end();
    return judge(await browser.get(authorizationUrl({ response_type: 'code id_token' })));
  },
  'token exchange': async (person, end) => {
    const { access_token } = await signedInTokens(person);
    await end();
    return judgeTokens(
      await tokens({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: access_token!,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    );
  },
  device: async (person, end) => {
    const device = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/auth/device`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: CLIENT, client_secret: SECRET, scope: 'openid' }),
    });
    const { device_code, verification_uri_complete } = (await device.json()) as Record<string, string>;
    const browser = httpBrowser();
    const consent = await signIn(browser, person, verification_uri_complete);
    await browser.submit(consent.form(), { accept: 'Yes' });
    await end();
    return judgeTokens(await tokens({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device_code! }));
  },
  'a forgotten password': async (person, end) => {
    await end();
    const browser = httpBrowser();
    const login = await browser.get(authorizationUrl());
    const ask = await browser.get(login.link(/reset-credentials/));
    await browser.submit(ask.form(), { username: person.username });
    const mail = await inbox.waitForMail(person.username);
    const choose = await browser.get(mail.links.find((link) => link.includes('action-token'))!);
    if (!choose.body.includes('password-new')) return judge(choose);
    return judge(await browser.submit(choose.form(), { 'password-new': 'another pass phrase', 'password-confirm': 'another pass phrase' }));
  },
  'an action link sent by an admin': async (person, end) => {
    await end();
    const query = new URLSearchParams({ client_id: CLIENT, redirect_uri: RETURN_TO });
    await admin.put(`/users/${person.id}/execute-actions-email?${query}`, ['UPDATE_PASSWORD']);
    const mail = await inbox.waitForMail(person.username);
    const browser = httpBrowser();
    const hello = await browser.get(mail.links.find((link) => link.includes('action-token'))!);
    const choose = await browser.get(hello.link(/action-token|required-action/));
    await browser.submit(choose.form(), { 'password-new': 'another pass phrase', 'password-confirm': 'another pass phrase' });
    const after = await browser.get(authorizationUrl());
    if (after.body.includes('kc-form-login')) return judge(await browser.submit(after.form('kc-form-login'), { username: person.username, password: 'another pass phrase' }));
    return judge(after);
  },
  SAML: async (person, end) => {
    await end();
    return judge(await signIn(httpBrowser(), person, `${stack().keycloak}/realms/${stack().realm}/protocol/saml/clients/${SAML}`));
  },
};

describe.each(Object.entries(WAYS_IN))('%s', (_, wayIn) => {
  test('is open before the end', async () => {
    const person = await createPerson([CLIENT, OVERRIDDEN, SAML], 3600);
    expect(await wayIn(person, async () => {})).toBe('in');
  });

  test('is refused after the end', async () => {
    const person = await createPerson([CLIENT, OVERRIDDEN, SAML], 3600);
    expect(await wayIn(person, () => setStamp(person, [CLIENT, OVERRIDDEN, SAML], -1))).toBe('refused');
  });
});

test('an end of one product’s clients leaves other clients alone', async () => {
  const person = await createPerson(['another-client'], -1);
  expect(judge(await signIn(httpBrowser(), person))).toBe('in');
});

test('no access token outlives the trial', async () => {
  const person = await createPerson([CLIENT], 60);
  const { body } = await tokens({ grant_type: 'password', username: person.username, password: person.password });
  expect(Number(body['expires_in'])).toBeLessThanOrEqual(60);
});

test.each<[string, WayIn]>([
  ['password', WAYS_IN['password']!],
  ['direct grant', WAYS_IN['direct grant']!],
  ['refresh', WAYS_IN['refresh']!],
  ['code exchange', WAYS_IN['code exchange']!],
])('a refusal by %s is an event with its reason', async (_, wayIn) => {
  const person = await createPerson([CLIENT], 3600);
  await wayIn(person, () => setStamp(person, [CLIENT], -1));
  const events: { error: string }[] = await admin.get(`/events?type=LOGIN_ERROR&user=${person.id}`);
  expect(events.find((event) => event.error === 'access_denied')).toMatchObject({ clientId: CLIENT, details: { reason: 'trial_expired' } });
});
