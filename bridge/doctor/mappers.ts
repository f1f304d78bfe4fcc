import type { Check, Faults } from './check.ts';
import { CLAIMS_MAPPER } from './provider-ids.ts';
import { isForPeople, type Client, type ClientScope, type Mapper, type View } from './view.ts';

const AUDIENCE_MAPPER = 'oidc-audience-mapper';

export const mapperChecks: readonly Check[] = [
  {
    name: 'trial-claims',
    run: trialClaims,
    advice: `Clients → that one → Client scopes → its dedicated scope → Add mapper → By configuration → "Trial" (${CLAIMS_MAPPER}), with Add to access token on.`,
  },
  {
    name: 'bridge-audience',
    run: bridgeAudience,
    advice: 'Client scopes → that one → Mappers (of a client: Clients → that one → Client scopes → its dedicated scope): delete the audience mapper. Only service accounts call the bridge.',
  },
];

/** Without the mapper an access token outlives the trial. */
async function trialClaims(view: View): Promise<Faults> {
  const scopes = await view.clientScopes();
  const clients = view.products.flatMap(({ clients: ids }) => ids).flatMap((clientId) => view.client(clientId) ?? []);
  return [...new Set(clients)]
    .filter((client) => !mappersOf(client, scopes, false).some((one) => one.protocolMapper === CLAIMS_MAPPER && one.config?.['access.token.claim'] !== 'false'))
    .map(({ clientId }) => `client ${clientId} has no ${CLAIMS_MAPPER} for access tokens: they outlive the trial`);
}

/** SECURITY.md 15: people's tokens never carry the bridge's audience. */
async function bridgeAudience(view: View): Promise<Faults> {
  const scopes = await view.clientScopes();
  return view.clients.filter(isForPeople).flatMap((client) =>
    mappersOf(client, scopes, true)
      .filter((one) => one.protocolMapper === AUDIENCE_MAPPER && isFor(one, view.config.clientId))
      .map(({ name }) => `people's tokens of client ${client.clientId} carry the audience ${view.config.clientId} by the mapper "${name}"`),
  );
}

function isFor({ config }: Mapper, clientId: string): boolean {
  return config?.['included.client.audience'] === clientId || config?.['included.custom.audience'] === clientId;
}

function mappersOf(client: Client, scopes: readonly ClientScope[], withOptional: boolean): readonly Mapper[] {
  const names = new Set([...(client.defaultClientScopes ?? []), ...(withOptional ? (client.optionalClientScopes ?? []) : [])]);
  return [...(client.protocolMappers ?? []), ...scopes.filter(({ name }) => names.has(name)).flatMap(({ protocolMappers = [] }) => protocolMappers)];
}
