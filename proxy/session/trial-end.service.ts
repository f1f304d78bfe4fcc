import type { Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';
import type { Identity } from '../provider/provider.ts';
import { lockLogin } from './ended-login.store.ts';
import { sessionKey, type LiveSessions } from './live-sessions.ts';
import { findSessionsOf, moveTrialEnd } from './session.store.ts';
import { findLongestTrialEnd, saveTrialEnds, type TrialEnd } from './trial-end.store.ts';

type Db = Kysely<Tables>;

/**
 * Who somebody is by a token, with the trial's end as the bridge said it last: the token may be older. In the transaction that writes
 * the session, so that no change comes between.
 */
export async function asTold(trx: Db, identity: Identity, { issuer, productIds }: { issuer: string; productIds: readonly string[] }): Promise<Identity> {
  if (productIds.length === 0) return identity;
  await lockLogin(trx, { issuer, sid: null, sub: identity.sub });
  const told = await findLongestTrialEnd(trx, identity.sub, productIds);
  if (told === undefined) return identity;
  const { endsAt, accessUntil } = told;
  return { ...identity, trial: { app: identity.trial?.app ?? null, endsAt: endsAt ?? accessUntil, accessUntil } };
}

export interface TrialEndKeeping {
  db: Db;
  live: Pick<LiveSessions, 'forget'>;
  /** Whose people the bridge tells about. */
  issuer: string;
  /** Products that the bridge tells about, by the host of the site that they open. */
  productIdsBySite: ReadonlyMap<string, readonly string[]>;
}

/** Writes down what the bridge told and moves the ends of open sessions by it. Answers how many sessions it concerns. */
export async function takeTrialEnds({ db, live, issuer, productIdsBySite }: TrialEndKeeping, ends: readonly TrialEnd[]): Promise<number> {
  const subs = [...new Set(ends.map(({ userId }) => userId))].sort();
  const open = await db.transaction().execute(async (trx) => {
    for (const sub of subs) await lockLogin(trx, { issuer, sid: null, sub });
    await saveTrialEnds(trx, lastOfEach(ends));
    const sessions = await findSessionsOf(trx, subs);
    const places = new Map(sessions.map(({ sub, site }) => [`${sub} ${site}`, { sub, site }]));
    for (const place of places.values()) {
      const told = await findLongestTrialEnd(trx, place.sub, productIdsBySite.get(place.site) ?? []);
      if (told) await moveTrialEnd(trx, place, told);
    }
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
