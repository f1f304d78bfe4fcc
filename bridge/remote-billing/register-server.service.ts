import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import { hashToken, matchesToken } from '../../platform/token.ts';
import type { Db, Trx } from '../db/schema.ts';
import { recordAct } from './audit.store.ts';
import type { BillingLimits } from './billing-limits.ts';
import type { From } from './caller.ts';
import { renewKey } from './renew-key.ts';
import { wrongCredentials } from './server-access.service.ts';
import { findActiveServerByHostname, findServer, findServerForUpdate, insertServer, updateServerContact } from './server.store.ts';

export interface Registration {
  id: string;
  key: string;
  hostname: string;
  contactEmail: string;
  newKey: string | undefined;
}

interface Using {
  clock: Clock;
  limits: BillingLimits;
}

/** A new server is taken in; a known one with its key gets its new hostname, contact and key. */
export async function registerServer(db: Db, using: Using, registration: Registration, from: From): Promise<{ created: boolean }> {
  await using.limits.wrongKeys(from.clientAddress);
  const before = await findServer(db, registration.id);
  if (before === undefined) await using.limits.registration(from.clientAddress);
  else if (matchesToken(registration.key, before.keyHash)) await using.limits.call(before.id);
  const result = await db.transaction().execute(async (trx) => {
    await lockHostname(trx, registration.hostname);
    const known = await findServerForUpdate(trx, registration.id);
    if (known !== undefined && (known.deactivated || !matchesToken(registration.key, known.keyHash))) return 'refused';
    const holder = await findActiveServerByHostname(trx, registration.hostname);
    if (holder !== undefined && holder.id !== registration.id) return 'hostname_taken';
    return known === undefined ? create(trx, using, registration, from) : update(trx, using, registration, from);
  });
  if (result === 'hostname_taken') throw await hostnameTaken(db, using, registration, from);
  if (result === 'refused') throw await wrongCredentials(db, using, registration, from);
  return { created: result === 'created' };
}

async function create(trx: Trx, using: Using, { id, key, hostname, contactEmail }: Registration, from: From): Promise<'created' | 'refused'> {
  const at = using.clock.now();
  // Another call with this id may have come first; it decided which key is the right one.
  if (!(await insertServer(trx, { id, keyHash: hashToken(key), hostname, contactEmail, registeredAt: at }))) return 'refused';
  await recordAct(trx, { at, act: 'server_registered', actor: { kind: 'server', id }, serverId: id, ...from, details: { hostname, contact_email: contactEmail } });
  return 'created';
}

async function update(trx: Trx, using: Using, { id, hostname, contactEmail, newKey }: Registration, from: From): Promise<'updated'> {
  const at = using.clock.now();
  await updateServerContact(trx, { id, hostname, contactEmail, at });
  const actor = { kind: 'server', id } as const;
  await recordAct(trx, { at, act: 'server_updated', actor, serverId: id, ...from, details: { hostname, contact_email: contactEmail } });
  if (newKey !== undefined) {
    await renewKey(trx, id, newKey, new Date());
    await recordAct(trx, { at, act: 'key_renewed', actor, serverId: id, ...from });
  }
  return 'updated';
}

/** Two servers that ask for one hostname at once are heard one after the other. */
async function lockHostname(trx: Trx, hostname: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`hostname ${hostname}`}, 0))`.execute(trx);
}

async function hostnameTaken(db: Db, using: Using, { id, hostname }: Registration, from: From): Promise<AppError> {
  await recordAct(db, { at: using.clock.now(), act: 'refused', actor: { kind: 'server', id }, serverId: id, ...from, details: { reason: 'hostname_taken', step: 'server/register', hostname } });
  return new AppError('hostname_taken', `A server with hostname ${hostname} already exists. If you control it, transfer its registration.`);
}
