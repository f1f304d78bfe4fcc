import type { RealmAdmin } from '../admin.ts';
import type { Purpose } from './rules.ts';
import type { FlowHead } from './tree.ts';

/** Somewhere a flow is bound. */
export interface Place {
  /** For people: `realm`, `identity provider google`, `client shop`. */
  owner: string;
  purpose: Purpose;
  /** Undefined: none. */
  alias: string | undefined;
  /** The owner's field that holds it. */
  field: string;
}

const REALM = 'realm';
const REALM_FIELDS: readonly (readonly [field: string, purpose: Purpose])[] = [
  ['browserFlow', 'browser'],
  ['registrationFlow', 'registration'],
  ['directGrantFlow', 'direct grant'],
  ['resetCredentialsFlow', 'reset credentials'],
  ['firstBrokerLoginFlow', 'first broker login'],
];
const PROVIDER_FIELDS: readonly (readonly [field: string, purpose: Purpose])[] = [
  ['firstBrokerLoginFlowAlias', 'first broker login'],
  ['postBrokerLoginFlowAlias', 'post broker login'],
];
const CLIENT_FIELDS: readonly (readonly [field: string, purpose: Purpose])[] = [
  ['browser', 'browser'],
  ['direct_grant', 'direct grant'],
];

export interface RealmSettings {
  realm: string;
  registrationAllowed: boolean;
  accessCodeLifespanLogin: number;
  [field: string]: unknown;
}

export interface Provider {
  alias: string;
  [field: string]: unknown;
}

export interface LiveClient {
  id: string;
  clientId: string;
  authenticationFlowBindingOverrides?: Record<string, string>;
  [field: string]: unknown;
}

export interface Owners {
  realm: RealmSettings;
  providers: readonly Provider[];
  clients: readonly LiveClient[];
  flows: readonly FlowHead[];
}

export async function readOwners(admin: RealmAdmin): Promise<Owners> {
  const realm = await admin.get<RealmSettings>('');
  const [providers, clients, flows] = await Promise.all([
    admin.get<Provider[]>('/identity-provider/instances'),
    admin.get<LiveClient[]>('/clients?max=100000'),
    admin.get<FlowHead[]>('/authentication/flows'),
  ]);
  return { realm, providers, clients, flows };
}

/** Every place that has a flow, and those of identity providers that could have one. */
export function placesIn({ realm, providers, clients, flows }: Owners): Place[] {
  const aliasOf = new Map(flows.map(({ id, alias }) => [id, alias]));
  return [
    ...REALM_FIELDS.map(([field, purpose]) => ({ owner: REALM, field, purpose, alias: text(realm[field]) })),
    ...providers.flatMap((provider) =>
      PROVIDER_FIELDS.filter(([field, purpose]) => purpose === 'post broker login' || text(provider[field])).map(([field, purpose]) => ({
        owner: `identity provider ${provider.alias}`,
        field,
        purpose,
        alias: text(provider[field]),
      })),
    ),
    ...clients.flatMap((client) =>
      CLIENT_FIELDS.flatMap(([field, purpose]) => {
        const alias = aliasOf.get(client.authenticationFlowBindingOverrides?.[field] ?? '');
        return alias === undefined ? [] : [{ owner: `client ${client.clientId}`, field, purpose, alias }];
      }),
    ),
  ];
}

/**
 * Writes all places of one owner at once. Of the realm only these fields are sent: what another admin saves meanwhile stays.
 * `beside` goes along with the realm's.
 */
export async function bind(admin: RealmAdmin, owner: string, bindings: ReadonlyMap<string, string | undefined>, beside: Record<string, unknown> = {}): Promise<void> {
  if (owner === REALM) return admin.put('', { ...Object.fromEntries(bindings), ...beside });
  const name = owner.split(' ').slice(owner.startsWith('client ') ? 1 : 2).join(' ');
  if (owner.startsWith('client ')) {
    const [[client], flows] = await Promise.all([admin.get<LiveClient[]>(`/clients?${new URLSearchParams({ clientId: name })}`), admin.get<FlowHead[]>('/authentication/flows')]);
    if (client === undefined) return;
    const ids = [...bindings].map(([field, alias]) => [field, flows.find((flow) => flow.alias === alias)?.id ?? '']);
    return admin.put(`/clients/${client.id}`, { ...client, authenticationFlowBindingOverrides: { ...client.authenticationFlowBindingOverrides, ...Object.fromEntries(ids) } });
  }
  const path = `/identity-provider/instances/${encodeURIComponent(name)}`;
  const provider = await admin.get<Provider>(path);
  // An empty text takes it away; a field that is left out would stay.
  await admin.put(path, { ...provider, ...Object.fromEntries([...bindings].map(([field, alias]) => [field, alias ?? ''])) });
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
