import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import { matchesToken } from '../../platform/token.ts';
import type { Db } from '../db/schema.ts';
import { recordAct } from './audit.store.ts';
import type { BillingLimits } from './billing-limits.ts';
import type { From } from './caller.ts';
import { findServer, touchServer, type RemoteServer } from './server.store.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NOBODY = '00000000-0000-0000-0000-000000000000';
/** Of no key: what an unknown id is compared with, so that it takes as long as a known one. */
const NO_KEY_HASH = Buffer.alloc(32);

export interface Credentials {
  id: string;
  key: string;
}

interface Using {
  clock: Clock;
  limits: BillingLimits;
}

/** The server of an id and key, or undefined for an unknown id, a wrong key and a deactivated server alike, with the same work. */
export async function knowServer(db: Db, credentials: Credentials): Promise<RemoteServer | undefined> {
  const server = await findServer(db, UUID.test(credentials.id) ? credentials.id : NOBODY);
  const matches = matchesToken(credentials.key, server?.keyHash ?? NO_KEY_HASH);
  return server !== undefined && matches && !server.deactivated ? server : undefined;
}

/** Lets a server's call in: its key, its limit, and the time of its last request. */
export async function authenticateServer(db: Db, using: Using, credentials: Credentials, from: From): Promise<RemoteServer> {
  await using.limits.wrongKeys(from.clientAddress);
  const server = await knowServer(db, credentials);
  if (server === undefined) throw await wrongCredentials(db, using, credentials, from);
  await using.limits.call(server.id);
  await touchServer(db, server.id, using.clock.now());
  return server;
}

export async function wrongCredentials(db: Db, using: Using, { id }: Credentials, from: From): Promise<AppError> {
  await using.limits.countWrongKey(from.clientAddress);
  await recordAct(db, {
    at: using.clock.now(),
    act: 'refused',
    actor: { kind: 'server' },
    ...from,
    details: { reason: 'credentials', ...(UUID.test(id) ? { claimed_id: id } : {}) },
  });
  return new AppError('unauthorized', 'This id and key are not those of a registered server. Register it, or transfer the registration of its hostname.');
}
