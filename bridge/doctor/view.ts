import { loadProducts, type Products } from '../../platform/products.ts';
import { readNodes, type Node } from '../keycloak/nodes.ts';
import { adminReader, type AdminReader } from './admin-reader.ts';
import type { DoctorConfig } from './config.ts';
import { treeOf, type Execution, type Step } from './flow-tree.ts';

export interface Realm {
  realm: string;
  browserFlow?: string;
  registrationFlow?: string;
  directGrantFlow?: string;
  resetCredentialsFlow?: string;
  firstBrokerLoginFlow?: string;
  smtpServer?: Readonly<Record<string, string>>;
  attributes?: Readonly<Record<string, string>>;
  adminPermissionsEnabled?: boolean;
  defaultRole?: { id: string; name: string };
  [setting: string]: unknown;
}

export interface Mapper {
  name: string;
  protocolMapper: string;
  config?: Readonly<Record<string, string>>;
}

export interface Client {
  id: string;
  clientId: string;
  enabled?: boolean;
  protocol?: string;
  secret?: string;
  bearerOnly?: boolean;
  publicClient?: boolean;
  standardFlowEnabled?: boolean;
  implicitFlowEnabled?: boolean;
  directAccessGrantsEnabled?: boolean;
  serviceAccountsEnabled?: boolean;
  fullScopeAllowed?: boolean;
  redirectUris?: readonly string[];
  webOrigins?: readonly string[];
  attributes?: Readonly<Record<string, string>>;
  authenticationFlowBindingOverrides?: Readonly<Record<string, string>>;
  defaultClientScopes?: readonly string[];
  optionalClientScopes?: readonly string[];
  protocolMappers?: readonly Mapper[];
}

export interface ClientScope {
  name: string;
  protocolMappers?: readonly Mapper[];
}

export interface IdentityProvider {
  alias: string;
  enabled?: boolean;
  firstBrokerLoginFlowAlias?: string;
  postBrokerLoginFlowAlias?: string;
}

interface Flow {
  id: string;
  alias: string;
}

/** A live realm, read once; what several checks need is read when the first of them asks. */
export interface View extends AdminReader {
  config: DoctorConfig;
  products: Products;
  realm: Realm;
  clients: readonly Client[];
  client(clientId: string): Client | undefined;
  /** The steps of a flow by its alias; none for one that does not exist. */
  steps(alias: string): Promise<readonly Step[]>;
  flows(): Promise<readonly Flow[]>;
  identityProviders(): Promise<readonly IdentityProvider[]>;
  clientScopes(): Promise<readonly ClientScope[]>;
  /** Every server of the cluster that is configured. */
  nodes(): Promise<readonly Node[]>;
}

const MANY = 10_000;
/** Keycloak's own clients, which every realm has. */
const BUILT_IN = new Set(['account', 'account-console', 'admin-cli', 'admin-permissions', 'broker', 'realm-management', 'security-admin-console']);

export async function openView(config: DoctorConfig, reader: AdminReader = adminReader(config)): Promise<View> {
  const [realm, clients] = await Promise.all([reader.read<Realm>(''), reader.list<Client>(`/clients?max=${MANY}`)]);
  if (realm === undefined) throw new Error(`Realm ${config.keycloak.realm} does not exist: set KEYCLOAK_REALM.`);
  const steps = new Map<string, Promise<readonly Step[]>>();
  return {
    ...reader,
    config,
    products: loadProducts(config.productsFile),
    realm,
    clients,
    client: (clientId) => clients.find((one) => one.clientId === clientId),
    steps: (alias) => {
      const reading = steps.get(alias) ?? reader.list<Execution>(`/authentication/flows/${encodeURIComponent(alias)}/executions`).then(treeOf);
      steps.set(alias, reading);
      return reading;
    },
    flows: once(() => reader.list<Flow>('/authentication/flows')),
    identityProviders: once(() => reader.list<IdentityProvider>(`/identity-provider/instances?max=${MANY}`)),
    clientScopes: once(() => reader.list<ClientScope>('/client-scopes')),
    nodes: once(() => readNodes(config.keycloak.nodeUrls, reader.accessToken)),
  };
}

export function isBuiltIn({ clientId }: Client): boolean {
  return BUILT_IN.has(clientId);
}

/** Through which a person can come by a token. */
export function isForPeople(client: Client): boolean {
  return (
    client.enabled !== false &&
    client.bearerOnly !== true &&
    (client.standardFlowEnabled === true ||
      client.implicitFlowEnabled === true ||
      client.directAccessGrantsEnabled === true ||
      client.attributes?.['oauth2.device.authorization.grant.enabled'] === 'true' ||
      client.attributes?.['oidc.ciba.grant.enabled'] === 'true')
  );
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => (reading ??= read());
}
