import { loadProducts } from '../platform/products.ts';
import { realmAdmin, type RealmAdmin } from './admin.ts';
import { adminPermissionChanges, PERMISSIONS_CLIENT } from './admin-permissions.ts';
import { nodeBlockers, settingBlockers, unknownFlowBlockers } from './blockers.ts';
import type { Change, Plan } from './change.ts';
import { clientPolicyChanges } from './client-policy.ts';
import { clientChanges, clientRoleChanges, grantChanges } from './clients.ts';
import type { Access, Settings } from './config.ts';
import { readOwners, type Owners } from './flow/places.ts';
import { INVITATION } from './flow/rules.ts';
import { flowChanges } from './flow/take-up.ts';
import { groupChanges, realmRoleChanges, userProfileChanges } from './people-and-roles.ts';
import { extend, KEEPER, readRecord, RECORD_ATTRIBUTE, writeRecord, type TakenUp } from './record.ts';
import { fillIn, readShipped, settingsOf, variablesOf, type Shipped, type ShippedClient, type StepSettings } from './shipped.ts';

const EXTRA_POST_BROKER = 'vestibule post broker login';
const DENY = 'deny';

export function namedVariables(): string[] {
  return variablesOf(readShipped());
}

/** Reads the realm and writes nothing. The changes stand in the order in which they can be made. */
export async function makePlan(access: Access, settings: Settings, admin = realmAdmin(access)): Promise<Plan> {
  const raw = readShipped();
  const shipped = fillIn(raw, settings.variables);
  const owners = await readOwners(admin);
  // Its flows can't even be read on a node that lacks the jar.
  const nodes = await nodeBlockers(admin, access.nodeUrls);
  const known = await readRecord(admin);
  const record = known ?? { standIns: {}, registrationAllowed: owners.realm.registrationAllowed, made: [] };
  const parts = {
    roles: await realmRoleChanges(admin, shipped),
    groups: await groupChanges(admin, shipped),
    attributes: await userProfileChanges(admin, shipped),
    policy: await clientPolicyChanges(admin, shipped),
    permissions: await adminPermissionChanges(admin, shipped, owners.realm),
  };
  const stepSettings = settingsBy(raw, shipped, record, loadProducts(settings.productsFile).flatMap(({ clients }) => clients));
  const flows = await flowChanges({
    admin,
    owners,
    record,
    afterProvider: { alias: EXTRA_POST_BROKER, description: 'Vestibule: for identity providers that had no post login flow' },
    settings: stepSettings,
    kit: { has: (provider) => providersIn(shipped).has(provider), settingsOf: (provider) => nonEmpty(stepSettings(provider).values) },
  });
  const taken = extend(record, { standIns: flows.standIns, made: madeBy(owners, shipped, parts) });
  const written = JSON.stringify(taken);
  const clients = await clientChanges(admin, ownClients(shipped), (clientId): Record<string, string> => (clientId === KEEPER ? { [RECORD_ATTRIBUTE]: written } : {}));
  const rest = [
    ...clients,
    ...parts.roles,
    ...(await clientRoleChanges(admin, shipped)),
    ...(await grantChanges(admin, shipped)),
    ...parts.groups,
    ...parts.attributes,
    ...parts.permissions,
    ...flows.changes,
    ...parts.policy,
    ...flows.bindings,
  ];
  const blockers = [...nodes, ...(await settingBlockers(admin, owners)), ...unknownFlowBlockers(flows.unknown)];
  return { changes: rest.length === 0 || written === JSON.stringify(known) ? rest : withRecord(admin, rest, taken, owners), blockers, notes: notesOn(owners, record, flows.standIns) };
}

/** Before anything that it tells how to take back, and right after the client that keeps it. */
function withRecord(admin: RealmAdmin, changes: readonly Change[], record: TakenUp, { clients }: Owners): Change[] {
  const keeper = clients.some(({ clientId }) => clientId === KEEPER) ? -1 : changes.findIndex(({ subject }) => subject === `client ${KEEPER}`);
  const own = changes[keeper];
  const write: Change = {
    subject: `client ${KEEPER}`,
    what: 'keeps what the realm was before',
    why: 'For stock and remove',
    make: () => writeRecord(admin, { ...record, stockSince: undefined }),
  };
  const others = changes.filter((_, index) => index !== keeper);
  return own === undefined ? [write, ...others] : [own, write, ...others];
}

function settingsBy(raw: Shipped, shipped: Shipped, { registrationAllowed }: TakenUp, productClients: readonly string[]): (provider: string) => StepSettings {
  const exceptions = [...new Set(['vestibule-proxy', ...productClients])].map((clientId) => `${clientId}=${DENY}`).join('##');
  return (provider) => {
    const settings = settingsOf(provider, raw, shipped);
    if (provider !== INVITATION || !registrationAllowed) return settings;
    return { ...settings, values: { ...settings.values, withoutInvitation: 'allow', withoutInvitationExceptions: exceptions } };
  };
}

/** Keycloak makes the other one itself. */
function ownClients({ clients }: Shipped): ShippedClient[] {
  return clients.filter(({ clientId }) => clientId !== PERMISSIONS_CLIENT);
}

function providersIn({ authenticationFlows }: Shipped): ReadonlySet<string> {
  return new Set(authenticationFlows.flatMap((flow) => flow.authenticationExecutions).flatMap(({ authenticator }) => authenticator ?? []));
}

/** Keycloak drops settings without a value. */
function nonEmpty(values: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== '');
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function madeBy({ clients }: Owners, shipped: Shipped, parts: Readonly<Record<string, readonly Change[]>>): string[] {
  const missing = ownClients(shipped).filter(({ clientId }) => !clients.some((live) => live.clientId === clientId)).map(({ clientId }) => `client ${clientId}`);
  return [...missing, ...Object.values(parts).flatMap((changes) => changes.filter(({ before, subject }) => before === undefined || subject.startsWith('setting ')).map(({ subject }) => subject))];
}

function notesOn({ realm }: Owners, { registrationAllowed }: TakenUp, standIns: TakenUp['standIns']): string[] {
  if (!Object.values(standIns).some(({ purpose }) => purpose === 'registration')) return [];
  return [
    registrationAllowed
      ? 'Registration is open and stays so for your clients; through the products\' clients it is by invitation.'
      : 'Registration is closed and stays so. The sign-in page shows "Register" from now on: it leads to a page that says that registration is by invitation.',
    'Theme, languages, mail server, lifetimes, password policy and brute-force detection stay as they are.',
    ...(realm['bruteForceProtected'] === true ? [] : ['Brute-force detection is off: Realm settings → Security defenses. npm run doctor -- realm asks for it.']),
  ];
}
