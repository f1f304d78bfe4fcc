import { KEEPER } from '../keycloak/nodes.ts';
import type { Check, Fault, Faults } from './check.ts';
import { isBuiltIn, isForPeople, type View } from './view.ts';

const CLIENT_SWITCHES = [
  ['oauth2.device.authorization.grant.enabled', 'the device grant'],
  ['oidc.ciba.grant.enabled', 'CIBA'],
  ['standard.token.exchange.enabled', 'token exchange'],
  ['oauth2.jwt.authorization.grant.enabled', 'the JWT authorization grant'],
] as const;

/** SECURITY.md 4 and 26. */
export const clientChecks: readonly Check[] = [
  { name: 'our-clients', run: ourClients, advice: 'Clients → Create client, as realm-export.json has it; docs/operating.md says which of its settings matter.' },
  { name: 'client-grants', run: clientGrants, advice: 'Clients → that one → Settings → Capability config (token exchange and full scope: Advanced, and Client scopes → dedicated → Scope): switch it off.' },
  { name: 'saml-clients', run: samlClients, advice: 'Its sessions live on after the end, for it runs the browser flow only. Know that, or Clients → that one → Action → Delete.' },
  { name: 'redirect-addresses', run: redirectAddresses, advice: 'Clients → that one → Settings → Access settings: list exact redirect addresses and origins.' },
];

function ourClients(view: View): Faults {
  const { config, products } = view;
  const proxy = view.client(config.proxyClientId);
  const bridge = view.client(config.clientId);
  const keeper = view.client(KEEPER);
  const missing = [...new Set([config.proxyClientId, config.clientId, KEEPER, ...products.flatMap(({ clients }) => clients)])].filter((one) => view.client(one) === undefined);
  return [
    ...missing.map((clientId) => `client ${clientId} does not exist`),
    ...[proxy, bridge].flatMap((client) => [
      ...(client?.enabled === false ? [`client ${client.clientId} is disabled`] : []),
      ...(client?.publicClient === true ? [`client ${client.clientId} is public: anybody may speak as it`] : []),
      ...(client !== undefined && client.serviceAccountsEnabled !== true ? [`client ${client.clientId} has no service account`] : []),
    ]),
    ...(proxy !== undefined && proxy.standardFlowEnabled !== true ? [`client ${proxy.clientId} has no standard flow: nobody can sign in`] : []),
    ...(proxy !== undefined && proxy.attributes?.['pkce.code.challenge.method'] !== 'S256' ? [`client ${proxy.clientId} does not ask for PKCE (S256)`] : []),
    ...(bridge?.standardFlowEnabled === true ? [`client ${bridge.clientId} has the standard flow: people could sign in to it`] : []),
    ...(keeper !== undefined && (isForPeople(keeper) || keeper.serviceAccountsEnabled === true) ? [`client ${KEEPER} can be signed in with: it is an audience and nothing else`] : []),
  ];
}

function clientGrants({ clients }: View): Faults {
  return clients.flatMap((client) => [
    ...(client.implicitFlowEnabled ? [`client ${client.clientId} allows the implicit flow`] : []),
    ...(client.directAccessGrantsEnabled && client.clientId !== 'admin-cli' ? [`client ${client.clientId} allows direct access grants`] : []),
    ...CLIENT_SWITCHES.filter(([attribute]) => client.attributes?.[attribute] === 'true').map(([, what]) => `client ${client.clientId} allows ${what}`),
    ...(client.fullScopeAllowed && !isBuiltIn(client) ? [`client ${client.clientId} has full scope`] : []),
  ]);
}

function samlClients({ clients }: View): Faults {
  return clients.filter((client) => client.protocol === 'saml' && client.enabled !== false).map((client) => `client ${client.clientId} speaks SAML`);
}

function redirectAddresses(view: View): Faults {
  const { clients, config } = view;
  const wild = clients
    .filter((client) => !isBuiltIn(client))
    .flatMap((client) => [...(client.redirectUris ?? []), ...(client.webOrigins ?? [])].filter(isLoose).map((one) => `client ${client.clientId} lists ${one}`));
  const plain = config.development
    ? []
    : clients.flatMap((client) => (client.redirectUris ?? []).filter(isUnsafe).map((one) => `client ${client.clientId} lists ${one}: a code sent there can be read on the way, or by whatever listens on the visitor's machine`));
  return [...wild, ...plain, ...proxyAddresses(view)];
}

/** `+` means "as the redirect addresses" and is exact where those are. */
function isLoose(address: string): boolean {
  return address.includes('*');
}

function isUnsafe(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return protocol === 'http:' || /^(localhost|.*\.localhost|127\..*|\[::1\])$/.test(hostname);
}

function proxyAddresses({ client, config }: View): readonly Fault[] {
  const proxy = client(config.proxyClientId);
  if (proxy === undefined) return [];
  // The staff pages sign people in by the same client.
  const origins = [...new Set([config.proxyUrl, ...(config.staffUrl === undefined ? [] : [config.staffUrl])])];
  const needed = origins.flatMap((origin) => ['/api/callback', '/api/login'].map((path) => `${origin}${path}`));
  const afterLogout = (proxy.attributes?.['post.logout.redirect.uris'] ?? '').split('##');
  return [
    ...needed.filter((address) => !proxy.redirectUris?.includes(address)).map((address) => `client ${proxy.clientId} lacks the redirect address ${address}`),
    ...origins.map((origin) => `${origin}/api/logout/done`).filter((address) => !afterLogout.includes(address)).map((address) => `client ${proxy.clientId} lacks the post-logout redirect address ${address}`),
  ];
}
