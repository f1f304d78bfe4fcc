import { randomInt } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Db } from '../db/schema.ts';
import type { AccessTokens } from './access-token.ts';
import { recordAct } from './audit.store.ts';
import type { BillingLimits } from './billing-limits.ts';
import type { From } from './caller.ts';
import type { FetchChallenge } from './challenge-fetch.ts';
import { renewKey } from './renew-key.ts';
import { findActiveServerByHostname, findServerForUpdate, markHostnameVerified } from './server.store.ts';

const KEY_LENGTH = 64;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

interface Using {
  clock: Clock;
  limits: BillingLimits;
  tokens: AccessTokens;
  fetchChallenge: FetchChallenge;
}

/** What the host is to serve, so that we see that it is the host. Whether the hostname is known is no secret: registering it says so too. */
export async function beginTransfer(db: Db, using: Using, hostname: string): Promise<string> {
  if ((await findActiveServerByHostname(db, hostname)) === undefined) throw new AppError('invalid_request', `${hostname} not yet registered`);
  return using.tokens.mintTransfer(hostname);
}

/** The host serves the secret under its own name: it gets new keys. Plans and users stay; old keys, links and sessions end. */
export async function completeTransfer(db: Db, using: Using, hostname: string, accessToken: string, from: From): Promise<{ id: string; key: string }> {
  const server = await findActiveServerByHostname(db, hostname);
  if (server === undefined) throw notFound();
  await using.limits.challenge(from.clientAddress, hostname);
  try {
    await demandProof(using, hostname, accessToken);
    return await transfer(db, using, { id: server.id, hostname }, from);
  } catch (error) {
    if (error instanceof AppError) {
      await recordAct(db, { at: using.clock.now(), act: 'refused', actor: { kind: 'server' }, serverId: server.id, ...from, details: { reason: error.message, step: 'server/register/verify_challenge', hostname } });
    }
    throw error;
  }
}

async function demandProof(using: Using, hostname: string, accessToken: string): Promise<void> {
  const answer = await using.fetchChallenge(hostname, `/api/v1/zulip-services/verify/${accessToken}/`);
  const { verification_secret: secret } = (answer ?? {}) as { verification_secret?: unknown };
  const provenFor = typeof secret === 'string' ? await using.tokens.readTransfer(secret) : undefined;
  if (provenFor === undefined) throw new AppError('invalid_request', 'The verification secret is invalid or has expired');
  if (provenFor !== hostname) throw new AppError('invalid_request', 'The verification secret is for a different hostname');
}

async function transfer(db: Db, using: Using, { id, hostname }: { id: string; hostname: string }, from: From): Promise<{ id: string; key: string }> {
  const key = newKey();
  await db.transaction().execute(async (trx) => {
    const current = await findServerForUpdate(trx, id);
    if (current === undefined || current.deactivated || current.hostname !== hostname) throw notFound();
    const at = using.clock.now();
    await renewKey(trx, id, key, new Date());
    await markHostnameVerified(trx, id, at);
    await recordAct(trx, { at, act: 'server_transferred', actor: { kind: 'server', id }, serverId: id, ...from, details: { hostname } });
  });
  return { id, key };
}

function notFound(): AppError {
  return new AppError('invalid_request', 'Registration not found for this hostname');
}

function newKey(): string {
  return Array.from({ length: KEY_LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}
