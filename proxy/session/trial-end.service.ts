import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';
import type { Identity } from '../provider/provider.ts';
import { lockLogin } from './ended-login.store.ts';
import { sessionKey, type LiveSessions } from './live-sessions.ts';
import { deleteOverSessionsOf, findSessionsOf, moveTrialEnd } from './session.store.ts';
import { deleteForgottenTrialEnds, findLongestTrialEnd, saveTrialEnds, type TrialEnd } from './trial-end.store.ts';

type Db = Kysely<Tables>;

/** No sign-in waits longer for a bridge that does not answer. */
const HEAR_WITHIN_MILLISECONDS = 1_000;

export interface Telling {
  issuer: string;
  /** Products of the site's client, whose ends the bridge tells. */
  productIds: readonly string[];
  /** Of all products, those whose app must have made a workspace before anybody is let in. */
  waitingProductIds: ReadonlySet<string>;
  /** Asks the bridge what has changed up to now. */
  hearNow(): Promise<void>;
}

/** Who somebody is, and whether the app has still to make what they come for. */
export type Told = Identity & { preparing: boolean };

/** Somebody who has signed up this second is not let in unprepared because the feed is a moment behind: then the bridge is asked, once. */
export async function hearOf(db: Db, identity: Identity, { productIds, waitingProductIds, hearNow }: Telling): Promise<void> {
  if (identity.trial === null || !productIds.some((id) => waitingProductIds.has(id))) return;
  if ((await findLongestTrialEnd(db, identity.sub, productIds)) !== undefined) return;
  await Promise.race([hearNow(), pause(HEAR_WITHIN_MILLISECONDS)]);
}

/**
 * Who somebody is by a token, with the trial's end as the bridge said it last: the token may be older. In the transaction that writes
 * the session, so that no change comes between.
 */
export async function asTold(trx: Db, identity: Identity, { issuer, productIds, waitingProductIds }: Omit<Telling, 'hearNow'>): Promise<Told> {
  if (productIds.length === 0) return { ...identity, preparing: false };
  await lockLogin(trx, { issuer, sid: null, sub: identity.sub });
  const told = await findLongestTrialEnd(trx, identity.sub, productIds);
  if (told === undefined) return { ...identity, preparing: false };
  const { endsAt, accessUntil } = told;
  return { ...identity, trial: { app: identity.trial?.app ?? null, endsAt: endsAt ?? accessUntil, accessUntil }, preparing: isPreparing(told, waitingProductIds) };
}

export interface TrialEndKeeping extends Pick<Telling, 'waitingProductIds'> {
  db: Db;
  live: Pick<LiveSessions, 'forget'>;
  /** Whose people the bridge tells about. */
  issuer: string;
  /** Products that the bridge tells about, by the host of the site that they open. */
  productIdsBySite: ReadonlyMap<string, readonly string[]>;
}

function isPreparing({ product, ready }: Pick<TrialEnd, 'product' | 'ready'>, waitingProductIds: ReadonlySet<string>): boolean {
  return !ready && waitingProductIds.has(product);
}

/** Writes down what the bridge told and moves the ends of open sessions by it. Answers how many sessions it concerns. */
export async function takeTrialEnds({ db, live, issuer, productIdsBySite, waitingProductIds }: TrialEndKeeping, ends: readonly TrialEnd[]): Promise<number> {
  const subs = [...new Set(ends.map(({ userId }) => userId))].sort();
  const open = await db.transaction().execute(async (trx) => {
    for (const sub of subs) await lockLogin(trx, { issuer, sid: null, sub });
    await saveTrialEnds(trx, lastOfEach(ends));
    const sessions = await findSessionsOf(trx, subs);
    const places = new Map(sessions.map(({ sub, site }) => [`${sub} ${site}`, { sub, site }]));
    for (const place of places.values()) {
      const told = await findLongestTrialEnd(trx, place.sub, productIdsBySite.get(place.site) ?? []);
      if (told) await moveTrialEnd(trx, place, { ...told, preparing: isPreparing(told, waitingProductIds) });
    }
    await deleteForgottenTrialEnds(trx, ends);
    await deleteOverSessionsOf(trx, ends.filter(({ forgotten }) => forgotten).map(({ userId }) => userId));
    return sessions;
  });
  // Another replica may have written it, and its notice may not be heard.
  for (const { idHash } of open) live.forget(sessionKey(idHash));
  return open.length;
}

/** One statement can't write a row twice. */
function lastOfEach(ends: readonly TrialEnd[]): TrialEnd[] {
  return [...new Map(ends.map((end) => [`${end.product} ${end.userId}`, end])).values()];
}
