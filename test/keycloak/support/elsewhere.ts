import { httpBrowser, type HttpBrowser, type Visit } from '../../../platform/http-browser.ts';
import { keycloakAdmin, realmsAdmin } from '../../support/keycloak-admin.ts';
import { stack } from '../../support/stack.ts';

/** Another realm of the same Keycloak plays the identity provider. */
export const ELSEWHERE = 'elsewhere';
const SECRET = 'elsewhere-secret';
export const KNOWN_ELSEWHERE = 'known elsewhere';
const admin = keycloakAdmin();
const master = realmsAdmin();
const INSTANCE = `/identity-provider/instances/${ELSEWHERE}`;

const usernameOf = (address: string): string => address.replace(/@.*/, '');

/** Answers how to take it away again. */
export async function openElsewhere(): Promise<() => Promise<void>> {
  await master.post('', {
    realm: ELSEWHERE,
    enabled: true,
    clients: [{ clientId: 'broker', secret: SECRET, redirectUris: [`${stack().keycloak}/realms/${stack().realm}/broker/*`] }],
  });
  await takeAnyName();
  await addProvider(ELSEWHERE, { displayName: 'Elsewhere & Co', trustEmail: true });
  return async () => {
    await admin.delete(INSTANCE);
    await master.delete(`/${ELSEWHERE}`);
  };
}

/** A provider that looks at nothing: what it says of a person may be anything. */
async function takeAnyName(): Promise<void> {
  const profile: { attributes: { name: string }[] } = await master.get(`/${ELSEWHERE}/users/profile`);
  const attributes = profile.attributes.map((one) => ({ ...one, required: undefined, ...(['firstName', 'lastName'].includes(one.name) && { validations: {} }) }));
  await master.put(`/${ELSEWHERE}/users/profile`, { ...profile, attributes });
}

/** One more way to the same people. Answers how to take it away again. */
export async function addProvider(alias: string, patch: object = {}): Promise<() => Promise<void>> {
  const issuer = `${stack().keycloak}/realms/${ELSEWHERE}`;
  await admin.post('/identity-provider/instances', {
    alias,
    providerId: 'oidc',
    enabled: true,
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
    ...patch,
  });
  return () => admin.delete(`/identity-provider/instances/${alias}`);
}

/** Answers how to put it back. */
export async function changeProvider(patch: object): Promise<() => Promise<void>> {
  const before = await admin.get(INSTANCE);
  await admin.put(INSTANCE, { ...before, ...patch });
  return () => admin.put(INSTANCE, before);
}

/** Somebody with this address at the provider; the name to sign in with is what stands before the @. */
export async function createElsewhere(address: string, patch: object = {}): Promise<void> {
  await master.post(`/${ELSEWHERE}/users`, {
    username: usernameOf(address),
    email: address,
    emailVerified: true,
    firstName: 'Ada',
    lastName: 'Lovelace',
    enabled: true,
    credentials: [{ type: 'password', value: KNOWN_ELSEWHERE }],
    ...patch,
  });
}

/** From a page that shows the provider, through its login page, to wherever that leads. */
export async function goThrough(browser: HttpBrowser, page: Visit, address: string, alias = ELSEWHERE): Promise<Visit> {
  const elsewhere = await browser.get(page.link(new RegExp(`/broker/${alias}/login`)));
  return browser.submit(elsewhere.form('kc-form-login'), { username: usernameOf(address), password: KNOWN_ELSEWHERE });
}

/** By the login page, without any invitation. */
export async function signInThrough(address: string, browser = httpBrowser()): Promise<Visit> {
  return goThrough(browser, await browser.get(`${stack().proxy}/api/login`), address);
}
