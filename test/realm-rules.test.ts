import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../realm/config.ts';
import { describe as inWords, editsFor, type Purpose } from '../realm/flow/rules.ts';
import { isWhole, nextAlias } from '../realm/flow/stand-in.ts';
import { shapeOf, type Requirement, type Step } from '../realm/flow/tree.ts';
import { fillIn, readShipped, settingsOf, variablesOf } from '../realm/shipped.ts';
import { secret, type Secret } from '../platform/secret.ts';

let ids = 0;

/** `REQUIRED auth-otp-form`, or `REQUIRED name` with what is in it. */
type Written = string | [string, Written[]];
function steps(written: readonly Written[]): Step[] {
  return written.map((one, index): Step => {
    const [text, inner] = typeof one === 'string' ? [one, undefined] : one;
    const [requirement, name] = text.split(' ') as [Requirement, string];
    const base = { id: `id-${(ids += 1)}`, requirement, priority: index * 10 };
    if (inner === undefined) return { ...base, provider: name };
    return { ...base, ...(name.endsWith('-form') || name.endsWith('-page') ? { provider: name } : {}), subFlow: { id: name, alias: name, steps: steps(inner) } };
  });
}

const BROWSER: Written[] = ['ALTERNATIVE auth-cookie', ['ALTERNATIVE forms', ['REQUIRED auth-username-password-form']]];
const FORM = 'REQUIRED registration-page-form';
const END = 'trial-expiration-authenticator stands last';
const INTO = 'its steps go into a REQUIRED sub-flow';
const SIGN_UP = 'trial-provider-creation takes the place of idp-create-user-if-unique';
const PASSWORD = 'vestibule-username-password-form takes the place of auth-username-password-form';

describe('what a flow lacks', () => {
  const CASES: [string, Purpose, Written[], string[]][] = [
    ['Keycloak\'s browser flow', 'browser', BROWSER, [INTO, END, PASSWORD]],
    ['one that is ours', 'browser', ['REQUIRED vestibule-flow-succession', ['REQUIRED ways', ['ALTERNATIVE auth-cookie']], 'REQUIRED trial-expiration-authenticator'], []],
    ['one without alternatives', 'browser', ['REQUIRED auth-username-form'], [END]],
    ['the end beside alternatives', 'browser', [...BROWSER.slice(0, 1), 'REQUIRED trial-expiration-authenticator'], [INTO, END]],
    ['the end before another step', 'browser', ['REQUIRED trial-expiration-authenticator', 'REQUIRED auth-otp-form'], [END]],
    ['the end switched off', 'direct grant', ['REQUIRED direct-grant-validate-password', 'DISABLED trial-expiration-authenticator'], [END]],
    ['the end as an alternative', 'post broker login', ['ALTERNATIVE trial-expiration-authenticator'], [INTO, END]],
    ['alternatives that are off', 'post broker login', ['DISABLED auth-cookie', 'REQUIRED trial-expiration-authenticator'], []],
    ['a form that is off', 'browser', ['DISABLED auth-username-password-form', 'REQUIRED trial-expiration-authenticator'], []],
    ['reset credentials', 'reset credentials', ['REQUIRED reset-credentials-choose-user', 'REQUIRED reset-credential-email'], [END, 'vestibule-reset-choose-user takes the place of reset-credentials-choose-user', 'vestibule-reset-credential-email takes the place of reset-credential-email']],
    ['a registration form with terms', 'registration', [[FORM, ['REQUIRED registration-user-creation', 'REQUIRED registration-terms-and-conditions']]], ['trial-registration-page takes the place of registration-page-form', 'trial-token-form-action takes the place of registration-user-creation', 'trial-token-authenticator stands first']],
    ['a password on the registration form', 'registration', ['REQUIRED trial-token-authenticator', ['REQUIRED trial-registration-page', ['REQUIRED trial-token-form-action', 'REQUIRED registration-password-action']]], ['trial-password-action takes the place of registration-password-action']],
    ['the invitation after the form', 'registration', [['REQUIRED trial-registration-page', ['REQUIRED trial-token-form-action']], 'REQUIRED trial-token-authenticator'], ['trial-token-authenticator stands first']],
    ['accounts from a provider', 'first broker login', ['REQUIRED idp-review-profile', ['REQUIRED linking', ['ALTERNATIVE idp-create-user-if-unique']]], [SIGN_UP, 'trial-token-authenticator stands before linking']],
    ['accounts from a provider, guarded', 'first broker login', ['REQUIRED trial-token-authenticator', ['REQUIRED linking', ['ALTERNATIVE idp-create-user-if-unique']]], [SIGN_UP]],
    ['accounts from a provider, of ours', 'first broker login', ['REQUIRED trial-token-authenticator', ['REQUIRED linking', ['ALTERNATIVE trial-provider-creation']]], []],
    ['accounts from a provider, of ours, not guarded', 'first broker login', ['ALTERNATIVE trial-provider-creation'], ['trial-token-authenticator stands before trial-provider-creation']],
    ['the guard as an alternative', 'first broker login', ['ALTERNATIVE trial-token-authenticator', 'ALTERNATIVE idp-create-user-if-unique'], [SIGN_UP, 'trial-token-authenticator stands before idp-create-user-if-unique']],
    ['no accounts from a provider', 'first broker login', ['REQUIRED idp-detect-existing-broker-user', 'DISABLED idp-create-user-if-unique'], []],
  ];
  test.each(CASES)('SECURITY 4, 6: %s', (_, purpose, written, lacking) => {
    expect(editsFor(purpose, { steps: steps(written) }, () => true).map(inWords)).toEqual(lacking);
  });

  test('a step that this release does not ship takes no place', () => {
    expect(editsFor('browser', { steps: steps(BROWSER) }, () => false).map(inWords)).toEqual([INTO, END]);
  });

  test('the flows of the realm file lack nothing', () => {
    const { authenticationFlows: flows } = readShipped();
    const read = (alias: string): Step[] =>
      (flows.find((flow) => flow.alias === alias)?.authenticationExecutions ?? []).map((one, index) => ({
        id: `${alias} ${index}`,
        provider: one.authenticator,
        requirement: one.requirement as Requirement,
        priority: one.priority,
        ...(one.flowAlias === undefined ? {} : { subFlow: { id: one.flowAlias, alias: one.flowAlias, steps: read(one.flowAlias) } }),
      }));
    for (const purpose of ['browser', 'registration', 'direct grant', 'reset credentials', 'first broker login', 'post broker login'] as const) {
      expect({ purpose, edits: editsFor(purpose, { steps: read(`vestibule ${purpose}`) }, () => true).map(inWords) }).toEqual({ purpose, edits: [] });
    }
  });
});

test.each([
  ['browser', [], 'browser with vestibule'],
  ['browser', ['browser with vestibule'], 'browser with vestibule 2'],
  ['browser with vestibule', ['browser with vestibule'], 'browser with vestibule 2'],
  ['browser with vestibule 2', ['browser with vestibule', 'browser with vestibule 2'], 'browser with vestibule 3'],
])('the copy of "%s" beside %j is "%s"', (alias, taken, next) => {
  expect(nextAlias(alias, new Set(taken))).toBe(next);
});

test('a copy is whole only with its finished description', () => {
  expect([{ description: 'Vestibule: as "browser"' }, { description: 'Vestibule is making this flow.' }, { description: 'Browser based authentication' }, {}].map(isWhole)).toEqual([true, false, false, false]);
});

test('the shape of a flow changes with steps, order, requirement and settings, and not with ids', () => {
  const shape = (...written: Written[]): string => shapeOf({ steps: steps(written) });
  expect(shape(...BROWSER)).toBe(shape(...BROWSER));
  const others = [shape('REQUIRED a', 'REQUIRED b'), shape('REQUIRED b', 'REQUIRED a'), shape('REQUIRED a', 'DISABLED b'), shape(['REQUIRED s', ['REQUIRED a', 'REQUIRED b']]), shapeOf({ steps: steps(['REQUIRED a', 'REQUIRED b']).map((step) => ({ ...step, settings: { id: 'x', alias: 'x', config: { a: 'b' } } })) })];
  expect(new Set(others).size).toBe(others.length);
});

describe('what the realm file asks for', () => {
  const shipped = readShipped();

  test('its variables, without those of the mail server', () => {
    expect(variablesOf(shipped).toSorted()).toEqual(['BRIDGE_CLIENT_SECRET', 'BRIDGE_INTERNAL_URL', 'CONTACT_URL', 'PROXY_CLIENT_SECRET', 'PROXY_INTERNAL_URL', 'PROXY_PUBLIC_URL', 'TRIAL_TIME_ZONE']);
  });

  test('addresses follow the environment, limits are the admin\'s', () => {
    const filledIn = fillIn(shipped, new Map<string, string | Secret>([['BRIDGE_INTERNAL_URL', 'https://bridge'], ['PROXY_CLIENT_SECRET', secret('hidden')]]));
    const { values, addresses } = settingsOf('trial-token-form-action', shipped, filledIn);
    expect(values['bridgeUrl']).toBe('https://bridge');
    expect(addresses).toEqual(['bridgeUrl']);
    expect(filledIn.clients.find(({ clientId }) => clientId === 'vestibule-proxy')?.['secret']).toBe('hidden');
  });
});

describe('the environment', () => {
  const GOOD = { KEYCLOAK_PUBLIC_URL: 'https://id.example.com', PROXY_PUBLIC_URL: 'https://app.example.com', BRIDGE_INTERNAL_URL: 'https://bridge.example.com', REALM_ADMIN_USERNAME: 'a', REALM_ADMIN_PASSWORD: 'b' };
  const NAMED = ['PROXY_PUBLIC_URL', 'BRIDGE_INTERNAL_URL'];

  test.each([
    ['a person', {}, 'password'],
    ['a client', { REALM_ADMIN_CLIENT_ID: 'c', REALM_ADMIN_CLIENT_SECRET: 'd' }, 'client_credentials'],
    ['the doctor\'s names', { REALM_ADMIN_USERNAME: '', REALM_ADMIN_PASSWORD: '', DOCTOR_ADMIN_USERNAME: 'a', DOCTOR_ADMIN_PASSWORD: 'b' }, 'password'],
  ])('%s signs in', (_, env, grant) => {
    expect(loadConfig({ ...GOOD, ...env }, NAMED).access.credentials.grant_type).toBe(grant);
  });

  test.each([
    ['a bridge over http', { BRIDGE_INTERNAL_URL: 'http://bridge.example.com' }, 'BRIDGE_INTERNAL_URL: must be https'],
    ['a proxy on localhost', { PROXY_PUBLIC_URL: 'https://localhost' }, 'PROXY_PUBLIC_URL: must not be localhost'],
    ['an unset variable', { BRIDGE_INTERNAL_URL: '' }, 'BRIDGE_INTERNAL_URL: is not set'],
    ['no admin', { REALM_ADMIN_USERNAME: '' }, 'REALM_ADMIN_USERNAME: is not set'],
  ])('SECURITY 2, 26: %s is refused', (_, env, fault) => {
    expect(() => loadConfig({ ...GOOD, ...env }, NAMED)).toThrow(fault);
  });
});
