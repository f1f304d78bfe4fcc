import { randomBytes, randomUUID } from 'node:crypto';
import { creationOf, type Answer, type TestBridge } from '../support/bridge.ts';
import type { Claims } from '../support/realm.ts';

export interface Endpoint {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  caller: 'anybody' | 'step' | 'proxy' | 'reading proxy' | 'program' | 'manager' | 'billing' | 'support';
  /** Of several bodies that OpenAPI describes, which. */
  body?: number;
  /** Of a request that is let in. */
  status: number;
  /** Query or body of such a request. */
  valid(bridge: TestBridge): Promise<Readonly<Record<string, unknown>>>;
}

const BECAUSE = { actor: randomUUID(), reason: 'They asked by telephone.' };

/** Every endpoint of the bridge; body.test.ts holds it against /openapi.json. */
export const ENDPOINTS: readonly Endpoint[] = [
  { method: 'POST', path: '/api/trial/register', caller: 'anybody', status: 202, valid: async () => ({ username: newAddress() }) },
  { method: 'POST', path: '/api/legacy/trial/register', caller: 'anybody', status: 202, valid: async () => ({ username: newAddress() }) },
  { method: 'POST', path: '/api/trial/verify', caller: 'step', status: 200, valid: async (bridge) => ({ token: await bridge.invite() }) },
  { method: 'POST', path: '/api/trial/creation', caller: 'step', body: 0, status: 200, valid: async (bridge) => creationOf(await bridge.invite()) },
  { method: 'POST', path: '/api/trial/creation', caller: 'program', body: 1, status: 200, valid: async (bridge) => ({ token: await bridge.invite({ address: newAddress() }), password: 'a long pass phrase' }) },
  { method: 'POST', path: '/api/trial/creation/outcome', caller: 'step', status: 200, valid: async () => ({ attempt_id: randomUUID(), user_id: randomUUID(), outcome: 'committed' }) },
  { method: 'POST', path: '/api/trial/creation/outcomes', caller: 'step', status: 200, valid: async () => ({ outcomes: [{ attempt_id: randomUUID(), user_id: randomUUID(), outcome: 'committed' }] }) },
  { method: 'GET', path: '/api/trial/infos', caller: 'step', status: 200, valid: async () => ({ user_id: randomUUID(), client_id: 'vestibule-proxy' }) },
  { method: 'GET', path: '/api/trial/changes', caller: 'reading proxy', status: 200, valid: async () => ({ follow: 'false' }) },
  { method: 'POST', path: '/api/trial/not-me', caller: 'proxy', status: 200, valid: async () => ({ token: 'of-a-mail' }) },
  { method: 'POST', path: '/api/trial/offer', caller: 'proxy', status: 200, valid: async () => ({ token: 'of-a-mail' }) },
  { method: 'POST', path: '/api/trial/join', caller: 'proxy', status: 410, valid: async () => ({ token: 'of-a-mail', user_id: randomUUID() }) },
  { method: 'POST', path: '/api/trial/extend', caller: 'manager', status: 404, valid: async () => ({ user_id: randomUUID(), days: 7, reason: 'They asked.' }) },
  { method: 'POST', path: '/api/trial/completion', caller: 'manager', status: 404, valid: async () => ({ user_id: randomUUID(), reason: 'They pay.' }) },
  { method: 'GET', path: '/api/trial', caller: 'manager', status: 200, valid: async () => ({ state: 'active', limit: '10' }) },
  { method: 'GET', path: '/api/trial/{id}', caller: 'manager', status: 404, valid: async () => ({}) },
  { method: 'POST', path: '/api/trial/{id}/resend', caller: 'manager', status: 404, valid: async () => ({ reason: 'It was lost.' }) },
  { method: 'POST', path: '/api/trial/{id}/revoke', caller: 'manager', status: 404, valid: async () => ({ reason: 'A mistake.' }) },
  { method: 'DELETE', path: '/api/trial/{id}', caller: 'manager', status: 404, valid: async () => ({ reason: 'They asked.' }) },
  { method: 'POST', path: '/api/trial/{id}/allow-again', caller: 'manager', status: 404, valid: async () => ({ reason: 'They came back.' }) },
  { method: 'GET', path: '/api/trial/{id}/export', caller: 'manager', status: 404, valid: async () => ({}) },
  { method: 'GET', path: '/api/trial/funnel', caller: 'manager', status: 200, valid: async () => ({ from: '2026-11-01', to: '2026-11-30' }) },
  { method: 'POST', path: '/api/trial/opened', caller: 'proxy', status: 200, valid: async () => ({ token: 'of-a-mail', signs: ['head'] }) },
  { method: 'POST', path: '/api/trial/signed-in', caller: 'proxy', status: 200, valid: async () => ({ user_id: randomUUID(), products: ['app'] }) },
  { method: 'POST', path: '/api/trial/embed-token', caller: 'manager', status: 409, valid: async () => ({ app: randomUUID(), origin: 'https://www.example.com' }) },
  { method: 'POST', path: '/api/trial/embed-revoke', caller: 'manager', status: 404, valid: async () => ({ app: randomUUID(), reason: 'A leak.' }) },
  { method: 'POST', path: '/api/trial/embed-standing', caller: 'reading proxy', status: 200, valid: async () => ({ app: randomUUID() }) },
  billing('server-login/open', () => ({ zulip_org_id: randomUUID(), zulip_org_key: 'x'.repeat(64) })),
  billing('login/open', () => ({ token: 'of-nobody' })),
  billing('login/mail', () => ({ token: 'of-nobody', email: newAddress() })),
  billing('login/confirmation', () => ({ key: 'of-a-mail' })),
  billing('login/complete', () => ({ token: 'of-nobody', attempt: randomBytes(32).toString('base64url') })),
  billing('session/read', () => ({ session_id: randomUUID(), kind: 'realm', uuid: randomUUID() })),
  billing('session/end', () => ({ session_id: randomUUID() })),
  billing('users/list', () => ({ session_id: randomUUID() })),
  billing('users/deactivate', () => ({ session_id: randomUUID(), user_id: randomUUID() })),
  billing('account/read', () => ({ session_id: randomUUID() })),
  billing('account/save', () => ({ session_id: randomUUID(), legal_name: 'Analytical Society' })),
  billing('plan/quote', () => ({ session_id: randomUUID(), type: 'basic', period: 'month', seats: 10, when: 'now' })),
  billing('plan/agree', () => ({ session_id: randomUUID(), type: 'basic', period: 'month', seats: 10, when: 'now', total: 4_200 })),
  billing('plan/seats/quote', () => ({ session_id: randomUUID(), seats: 10 })),
  billing('plan/seats', () => ({ session_id: randomUUID(), seats: 10, total: 0 })),
  billing('plan/renewal', () => ({ session_id: randomUUID(), renews: false })),
  billing('plan/unschedule', () => ({ session_id: randomUUID() })),
  billing('sponsorship/ask', () => ({ session_id: randomUUID(), organization_type: 'Open source', description: 'We count.', expected_users: '10', requested_plan: 'community' })),
  billing('invoice/read', () => ({ session_id: randomUUID(), number: 1 })),
  billing('server/deactivate', () => ({ session_id: randomUUID() })),
  support('search', 200, { query: 'example.org' }),
  support('pending', 200, { limit: 10 }),
  support('read', 404, { kind: 'realm' }),
  support('invoice/read', 404, { kind: 'server', number: 1 }),
  support('plan/quote', 404, { kind: 'realm', type: 'basic', period: 'month', seats: 10, when: 'now' }),
  support('plan/change', 404, { ...BECAUSE, kind: 'realm', type: 'basic', period: 'month', seats: 10, when: 'now', total: 4_200 }),
  support('plan/give', 404, { ...BECAUSE, kind: 'realm', type: 'community' }),
  support('plan/seats/quote', 404, { kind: 'realm', seats: 10 }),
  support('plan/seats', 404, { ...BECAUSE, kind: 'realm', seats: 10, total: 0 }),
  support('plan/renewal', 404, { ...BECAUSE, kind: 'server', renews: false }),
  support('plan/unschedule', 404, { ...BECAUSE, kind: 'realm' }),
  support('plan/end/quote', 404, { kind: 'realm' }),
  support('plan/end', 404, { ...BECAUSE, kind: 'realm', give_back: 0 }),
  support('sponsorship/decide', 404, { ...BECAUSE, kind: 'realm', sponsorship_id: randomUUID(), decision: 'approve' }),
  support('standing', 404, { ...BECAUSE, kind: 'user', active: false }),
];

/** Of a place that is not there, where one is meant. */
function support(path: string, status: number, valid: Readonly<Record<string, unknown>>): Endpoint {
  return { method: 'POST', path: `/api/remote-billing/support/${path}`, caller: 'support', status, valid: async () => ('kind' in valid ? { uuid: randomUUID(), ...valid } : valid) };
}

function billing(path: string, valid: () => Readonly<Record<string, unknown>>): Endpoint {
  return { method: 'POST', path: `/api/remote-billing/${path}`, caller: 'billing', status: 200, valid: async () => valid() };
}

export const GUARDED = ENDPOINTS.filter(({ caller }) => caller !== 'anybody');
export const WITH_BODY = ENDPOINTS.filter(({ method }) => method !== 'GET');

/** The token that this endpoint asks for; `claims` replaces, undefined removes. */
export function tokenFor(endpoint: Endpoint, { realm }: TestBridge, claims: Claims = {}): Promise<string> {
  if (endpoint.caller === 'program') return realm.serviceToken('a-program', 'trial-create', claims);
  if (endpoint.caller === 'reading proxy') return realm.serviceToken('vestibule-proxy', 'trial-read', claims);
  if (endpoint.caller === 'manager') return realm.serviceToken('a-manager', 'trial-manage', claims);
  if (endpoint.caller === 'billing') return realm.serviceToken('vestibule-proxy', 'billing-pages', claims);
  if (endpoint.caller === 'support') return realm.serviceToken('vestibule-proxy', 'support', claims);
  return endpoint.caller === 'proxy' ? realm.serviceToken('vestibule-proxy', 'trial-manage', claims) : realm.stepToken(claims);
}

/** Sends what is given as it is. */
export async function ask(bridge: TestBridge, endpoint: Endpoint, given: { token?: string | undefined; content: Readonly<Record<string, unknown>> | string }): Promise<Answer> {
  const headers = given.token === undefined ? {} : { authorization: `Bearer ${given.token}` };
  if (endpoint.method !== 'GET') return bridge.send(addressOf(endpoint), { method: endpoint.method, headers, body: given.content });
  const query = typeof given.content === 'string' ? given.content : new URLSearchParams(given.content as Record<string, string>).toString();
  return bridge.send(`${addressOf(endpoint)}?${query}`, { method: 'GET', headers });
}

/** Of a trial that is not there, where one is named. */
export function addressOf({ path }: Endpoint): string {
  return path.replace('{id}', randomUUID());
}

export function newAddress(): string {
  return `ada.${randomUUID()}@example.com`;
}
