import type { RealmAdmin } from './admin.ts';
import { removeAdminPermissions } from './admin-permissions.ts';
import type { Change } from './change.ts';
import { putPolicy, readPolicies, readProfiles, removeClientPolicy } from './client-policy.ts';
import { findClient } from './clients.ts';
import { bind, placesIn, readOwners, type Owners } from './flow/places.ts';
import { listFlows } from './flow/tree.ts';
import { findByPath, type UserProfile } from './people-and-roles.ts';
import { KEEPER, readRecord, RECORD_ATTRIBUTE, writeRecord, type TakenUp } from './record.ts';
import { Refusal } from './refusal.ts';
import { readShipped } from './shipped.ts';

export interface TakenOut {
  changes: readonly Change[];
  /** What stays, and why. */
  notes: readonly string[];
  /** Flows in which somebody may still stand, until then (milliseconds of the epoch). */
  waitsUntil?: number | undefined;
}

async function recordOf(admin: RealmAdmin): Promise<TakenUp> {
  const record = await readRecord(admin);
  if (record === undefined) throw new Refusal('This realm was not taken up by `npm run realm -- apply`: nobody wrote down what it was before. Bind its flows by hand: Authentication → Flows → Action → Bind flow.');
  return record;
}

/** What a place had before us; also when one of ours stands in for another of ours. */
function originalOf(record: TakenUp, alias: string): string | undefined {
  const original = record.standIns[alias]?.original?.alias;
  return original !== undefined && original in record.standIns ? originalOf(record, original) : original;
}

/** The flows of before, and the policy off; nothing is deleted, so `apply` is quick to bind ours again. */
export async function planStock(admin: RealmAdmin): Promise<TakenOut> {
  const [record, owners, policies] = await Promise.all([recordOf(admin), readOwners(admin), readPolicies(admin)]);
  const changes = [...rebinding(admin, owners, record), ...policiesOff(admin, policies)];
  const mark: Change = { subject: `client ${KEEPER}`, what: 'keeps since when', why: 'For remove', make: () => writeRecord(admin, { ...record, stockSince: Date.now() }) };
  return { changes: changes.length === 0 ? [] : [...changes, mark], notes: ['Accounts, stamps, clients and our flows stay. A person whose sign-in page was open may be asked for the password once more. Until apply is run again no trial ends in Keycloak.'] };
}

function rebinding(admin: RealmAdmin, owners: Owners, record: TakenUp): Change[] {
  const ours = placesIn(owners).filter(({ alias }) => alias !== undefined && alias in record.standIns);
  const closes = !record.registrationAllowed && owners.realm.registrationAllowed;
  const byOwner = Map.groupBy(ours, ({ owner }) => owner);
  if (closes && !byOwner.has('realm')) byOwner.set('realm', []);
  const lost = ours.flatMap(({ alias = '' }) => originalOf(record, alias) ?? []).filter((alias) => !owners.flows.some((flow) => flow.alias === alias));
  if (lost.length > 0) throw new Refusal(`Flows that were bound before are gone: ${[...new Set(lost)].join(', ')}. Bind others by hand, then run the command again.`);
  return [...byOwner].map(([owner, places]) => ({
    subject: owner,
    what: 'the flows of before are bound',
    why: 'Asked for',
    before: places.map(({ purpose, alias }) => `${purpose}: ${alias}`).join('; '),
    after: [...places.map(({ purpose, alias = '' }) => `${purpose}: ${originalOf(record, alias) ?? '(none)'}`), ...(owner === 'realm' && closes ? ['user registration: off'] : [])].join('; '),
    make: () => bind(admin, owner, new Map(places.map(({ field, alias = '' }) => [field, originalOf(record, alias)])), owner === 'realm' && closes ? { registrationAllowed: false } : {}),
  }));
}

function policiesOff(admin: RealmAdmin, policies: readonly { name: string; enabled?: boolean }[]): Change[] {
  const names = new Set(readShipped().clientPolicies.policies.map(({ name }) => name));
  return policies
    .filter(({ name, enabled }) => names.has(name) && enabled)
    .map((policy) => ({ subject: `policy ${policy.name}`, what: 'is switched off', why: 'Asked for', before: 'on', after: 'off', make: () => putPolicy(admin, { ...policy, enabled: false }) }));
}

/** Stock, and then everything that was made; people stay. `now` takes flows too in which somebody may stand. */
export async function planRemoval(admin: RealmAdmin, { now }: { now: boolean }): Promise<TakenOut> {
  const [record, owners, flows, stock] = await Promise.all([recordOf(admin), readOwners(admin), listFlows(admin), planStock(admin)]);
  const ours = flows.filter(({ alias }) => alias in record.standIns);
  const free = (stock.changes.length > 0 ? Date.now() : (record.stockSince ?? 0)) + owners.realm.accessCodeLifespanLogin * 1000;
  const waits = !now && ours.length > 0 && free > Date.now();
  const made = new Set(record.made);
  const named = (kind: string): string[] => record.made.filter((one) => one.startsWith(`${kind} `)).map((one) => one.slice(kind.length + 1));
  const why = 'Vestibule made it';
  const changes: Change[] = [...stock.changes];
  if (waits) return { changes, notes: [`Our flows stay until nobody can stand in one of them any more (the login timeout). Then run remove again, or with --now.`], waitsUntil: free };

  changes.push(...ours.map(({ id, alias }) => ({ subject: `flow "${alias}"`, what: 'is deleted', why, make: () => admin.delete(`/authentication/flows/${id}`) })));
  const [policies, profiles] = await Promise.all([readPolicies(admin), readProfiles(admin)]);
  const policy = { policies: named('policy'), profiles: named('profile') };
  if (policies.some(({ name }) => policy.policies.includes(name)) || profiles.some(({ name }) => policy.profiles.includes(name))) {
    changes.push({ subject: `policy ${policy.policies.join(', ')}`, what: 'is deleted, with its profile', why, make: () => removeClientPolicy(admin, policy) });
  }
  for (const name of named('user attribute')) changes.push({ subject: `user attribute ${name}`, what: 'is not declared any more', why, make: () => undeclare(admin, name) });
  const permissions = named('permission').map((one) => one.slice(1, -1));
  if (permissions.length > 0 && owners.realm['adminPermissionsEnabled'] === true) {
    changes.push({ subject: `permissions ${permissions.join(', ')}`, what: 'are deleted', why, make: () => removeAdminPermissions(admin, permissions) });
    if (made.has('setting adminPermissionsEnabled')) changes.push({ subject: 'setting adminPermissionsEnabled', what: 'is switched off', why: 'It was off before', make: () => admin.put('', { adminPermissionsEnabled: false }) });
  }
  for (const path of named('group').toReversed()) {
    const group = await findByPath(admin, path);
    if (group !== undefined) changes.push({ subject: `group ${path}`, what: 'is deleted; its members stay as people', why, make: () => admin.delete(`/groups/${group.id}`) });
  }
  for (const name of named('realm role')) {
    const path = `/roles/${encodeURIComponent(name)}`;
    if ((await admin.find(path)) !== undefined) changes.push({ subject: `realm role ${name}`, what: 'is deleted, and taken from whoever has it', why, make: () => admin.delete(path) });
  }
  // The client that keeps the record goes last: without it a removal that was cut off could not go on.
  for (const clientId of named('client').toSorted((a, b) => Number(a === KEEPER) - Number(b === KEEPER))) {
    const client = await findClient(admin, clientId);
    if (client !== undefined) changes.push({ subject: `client ${clientId}`, what: 'is deleted, with its roles and sessions', why, make: () => admin.delete(`/clients/${client.id}`) });
  }
  if (!made.has(`client ${KEEPER}`)) changes.push({ subject: `client ${KEEPER}`, what: 'forgets what the realm was before', why, make: () => forget(admin) });
  return {
    changes,
    notes: ['Nobody is deleted. People with a trial keep account, password and the value of trial_stamp, which nothing reads any more: their trials have no end in Keycloak. Disable or delete them first if that is not meant; the members of /vestibule-trials are they.', ...(permissions.length > 0 ? ['Keycloak keeps its own client admin-permissions, without a permission of ours.'] : [])],
  };
}

async function undeclare(admin: RealmAdmin, name: string): Promise<void> {
  const profile = await admin.get<UserProfile>('/users/profile');
  await admin.put('/users/profile', { ...profile, attributes: profile.attributes.filter((one) => one.name !== name) });
}

/** An empty text takes an attribute away. */
async function forget(admin: RealmAdmin): Promise<void> {
  const client = await findClient(admin, KEEPER);
  if (client !== undefined) await admin.put(`/clients/${client.id}`, { ...client, attributes: { ...client.attributes, [RECORD_ATTRIBUTE]: '' } });
}
