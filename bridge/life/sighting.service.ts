import type { Db } from '../db/schema.ts';
import { recordEvents, type NewLifeEvent } from './event.store.ts';
import { findLivesOfTokens, findLivesOfUsers, listEventsSince, lockLives, type InvitedLife, type SeenEvent } from './sighting.store.ts';
import type { Sighting } from './sightings.ts';

/** The same again within this time is one line of a timeline. */
const ONCE_IN_MILLISECONDS = { link_opened: 3_600_000, form_shown: 3_600_000, refused: 3_600_000, signed_in: 86_400_000 } as const satisfies Record<Sighting['kind'], number>;
const KINDS = ['link_opened', 'form_shown', 'refused', 'signed_in'] as const;
/** Who opens a link so soon after its mail went out, with a browser that was never here, has not read the mail. */
const TOO_SOON_MILLISECONDS = 10_000;

type Seen = Sighting & { at: Date };
type NewSighting = NewLifeEvent & { kind: Sighting['kind'] };

/** Each once in its time, whichever replica saw it. Of tokens and people that no trial has, nothing. */
export async function recordSightings(db: Db, all: readonly Seen[]): Promise<void> {
  const events = await eventsOf(db, all);
  const lifeIds = [...new Set(events.map(({ lifeId }) => lifeId))];
  if (lifeIds.length === 0) return;
  await db.transaction().execute(async (trx) => {
    const locked = await lockLives(trx, lifeIds);
    const oldest = Math.min(...events.map(({ at }) => at.getTime()));
    const told: (SeenEvent | NewSighting)[] = [...(await listEventsSince(trx, lifeIds, KINDS, new Date(oldest - Math.max(...Object.values(ONCE_IN_MILLISECONDS)))))];
    const news: NewSighting[] = [];
    for (const event of events) {
      if (!locked.has(event.lifeId) || told.some((one) => isSame(one, event))) continue;
      told.push(event);
      news.push(event);
    }
    await recordEvents(trx, news);
  });
}

async function eventsOf(db: Db, all: readonly Seen[]): Promise<readonly NewSighting[]> {
  const byToken = Map.groupBy(await findLivesOfTokens(db, all.flatMap(({ of }) => ('tokenHash' in of ? [of.tokenHash] : []))), ({ tokenHash }) => tokenHash.toString('hex'));
  const byUser = Map.groupBy(await findLivesOfUsers(db, all.flatMap(({ of }) => ('userId' in of ? [of.userId] : []))), ({ userId }) => userId);
  return all.flatMap((seen) => {
    const { of } = seen;
    if ('userId' in of) return (byUser.get(of.userId) ?? []).filter(({ product }) => of.products.includes(product)).map(({ lifeId }) => eventOf(seen, lifeId, 'person', {}));
    return (byToken.get(of.tokenHash.toString('hex')) ?? []).map((life) => (seen.kind === 'link_opened' ? opened(seen, life) : eventOf(seen, life.lifeId, 'person', seen.reason === undefined ? {} : { reason: seen.reason })));
  });
}

function opened(seen: Seen, { lifeId, sentAt }: InvitedLife): NewSighting {
  const signs = (seen.signs ?? []).filter((sign) => sign !== 'no_cookies');
  const tooSoon = seen.signs?.includes('no_cookies') === true && seen.at.getTime() - sentAt.getTime() < TOO_SOON_MILLISECONDS;
  const by = signs.length > 0 || tooSoon ? 'scanner' : 'person';
  return eventOf(seen, lifeId, by, { by, ...(by === 'scanner' && { signs: [...signs, ...(tooSoon ? ['too_soon'] : [])] }) });
}

function eventOf({ kind, at, requestId }: Seen, lifeId: string, actor: string, detail: Readonly<Record<string, unknown>>): NewSighting {
  return { lifeId, at, kind, actor, requestId, detail };
}

function isSame(one: SeenEvent | NewSighting, other: NewSighting): boolean {
  if (one.lifeId !== other.lifeId || one.kind !== other.kind) return false;
  if (one.detail?.['reason'] !== other.detail?.['reason'] || one.detail?.['by'] !== other.detail?.['by']) return false;
  return other.at.getTime() - one.at.getTime() < ONCE_IN_MILLISECONDS[other.kind];
}
