import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { httpBrowser, type Visit } from '../../platform/http-browser.ts';
import { keycloakAdmin, realmsAdmin } from '../support/keycloak-admin.ts';
import { createPerson, setStamp, freshAddress } from '../support/person.ts';
import { stack } from '../support/stack.ts';
import { isSignedIn } from '../support/visitor.ts';

/** Another realm of the same Keycloak plays the identity provider. */
const PROVIDER = 'elsewhere';
const SECRET = 'elsewhere-secret';
const admin = keycloakAdmin();
const master = realmsAdmin();

beforeAll(async () => {
  await master.post('', {
    realm: PROVIDER,
    enabled: true,
    clients: [{ clientId: 'broker', secret: SECRET, redirectUris: [`${stack().keycloak}/realms/${stack().realm}/broker/${PROVIDER}/endpoint*`] }],
  });
  const issuer = `${stack().keycloak}/realms/${PROVIDER}`;
  await admin.post('/identity-provider/instances', {
    alias: PROVIDER,
    providerId: 'oidc',
    enabled: true,
    trustEmail: true,
    postBrokerLoginFlowAlias: 'vestibule post broker login',
    config: {
      clientId: 'broker',
      clientSecret: SECRET,
      authorizationUrl: `${issuer}/protocol/openid-connect/auth`,
      tokenUrl: `${issuer}/protocol/openid-connect/token`,
      jwksUrl: `${issuer}/protocol/openid-connect/certs`,
      useJwksUrl: 'true',
      validateSignature: 'true',
      issuer,
      defaultScope: 'openid email profile',
    },
  });
});

afterAll(async () => {
  await admin.delete(`/identity-provider/instances/${PROVIDER}`);
  await master.delete(`/${PROVIDER}`);
});

async function createElsewhere(username: string): Promise<void> {
  await master.post(`/${PROVIDER}/users`, {
    username: username.replace(/@.*/, ''),
    email: username,
    emailVerified: true,
    firstName: 'Ada',
    lastName: 'Lovelace',
    enabled: true,
    credentials: [{ type: 'password', value: 'known elsewhere' }],
  });
}

async function signInThrough(username: string, browser = httpBrowser()): Promise<Visit> {
  const login = await browser.get(`${stack().proxy}/api/login`);
  const elsewhere = await browser.get(login.link(new RegExp(`/broker/${PROVIDER}/login`)));
  return browser.submit(elsewhere.form('kc-form-login'), { username: username.replace(/@.*/, ''), password: 'known elsewhere' });
}

test('SECURITY 6: an identity provider makes no account without an invitation', async () => {
  const username = freshAddress('stranger');
  await createElsewhere(username);
  const page = await signInThrough(username);
  expect(isSignedIn(page)).toBe(false);
  expect(await admin.get(`/users?${new URLSearchParams({ email: username, exact: 'true' })}`)).toEqual([]);
});

test('SECURITY 4, 6: an identity is linked only after the account is proven again, and the end of the trial holds on every later login', async () => {
  const person = await createPerson(['vestibule-proxy'], 3600);
  await createElsewhere(person.username);
  const browser = httpBrowser();
  const asked = await signInThrough(person.username, browser);
  expect(isSignedIn(asked)).toBe(false);
  const proof = await browser.submit(asked.form(), { submitAction: 'linkAccount' });
  const others = await browser.submit(proof.form('kc-select-try-another-way-form'));
  const ways = [...others.body.matchAll(/name="authenticationExecution"[^>]*value="([^"]+)"/g)].map(([, id]) => id!);
  const byPassword = ways.at(-1)!;
  const password = await browser.submit(others.form(), { authenticationExecution: byPassword });
  const linked = await browser.submit(password.form('kc-form-login'), { password: person.password });
  if (!isSignedIn(linked)) throw new Error(linked.body);
  expect(isSignedIn(await signInThrough(person.username))).toBe(true);

  await setStamp(person, ['vestibule-proxy'], -1);
  const refused = await signInThrough(person.username);
  expect(isSignedIn(refused)).toBe(false);
  expect(refused.body).toContain('Your trial has ended');
});
