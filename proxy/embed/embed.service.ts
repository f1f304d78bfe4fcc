import type { Kysely } from 'kysely';
import { hash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import { newToken } from '../../platform/token.ts';
import type { Caller } from '../bridge/bridge.ts';
import type { Tables } from '../db/tables.ts';
import type { Identity } from '../provider/provider.ts';
import type { ServedSite } from '../site/served-site.ts';
import type { ReadProof } from './embed-proof.ts';
import type { EmbedStanding, EmbedStandings } from './embed-standings.ts';
import { findEmbedSession, insertEmbedSession, type EmbedSession } from './embed.store.ts';

/** The page around it posts another token then. */
const LONGEST_MILLISECONDS = 60 * 60_000;

export interface EmbedKeeping {
  db: Kysely<Tables>;
  clock: Pick<Clock, 'now'>;
  standings: EmbedStandings;
  readProof(token: string): Promise<ReadProof>;
  /** Behind which a product's app stands; undefined: behind none. */
  siteOf(product: string): EmbedSite | undefined;
}

export type EmbedSite = Pick<ServedSite, 'rules' | 'upstreams' | 'identityHeaders'>;

export type EmbedRefusal = 'expired' | 'no_site' | 'not_ours' | 'other_app' | 'other_origin' | 'over' | 'used';

/** `origin`: whose page may show the refusal. */
export type Entered = { id: string; seconds: number } | { refused: EmbedRefusal; origin: string | undefined };

/** Takes a token once, from a page of the origin that it names, for the app that it names. */
export async function enter({ db, clock, standings, readProof, siteOf }: EmbedKeeping, { token, app, postedFrom }: { token: string; app: string; postedFrom: string | undefined }, caller: Caller): Promise<Entered> {
  const read = await readProof(token);
  if (!read.good) return { refused: read.why, origin: read.origin };
  const { proof } = read;
  const refused = (why: EmbedRefusal): Entered => ({ refused: why, origin: proof.origin });
  if (proof.app !== app) return refused('other_app');
  if (proof.origin !== postedFrom) return { refused: 'other_origin', origin: undefined };
  const now = clock.now();
  const standing = await standings.now(app, caller);
  if (!isLive(standing, proof, now)) return refused('over');
  if (!siteOf(standing.product)) return refused('no_site');
  const id = newToken();
  const endsAt = new Date(Math.min(now.getTime() + LONGEST_MILLISECONDS, standing.accessUntil?.getTime() ?? Number.POSITIVE_INFINITY));
  if (!(await insertEmbedSession(db, { ...proof, idHash: hashOf(id), endsAt }))) return refused('used');
  return { id, seconds: Math.ceil((endsAt.getTime() - now.getTime()) / 1000) };
}

/** Who is in this frame, and what it shows; undefined: nobody any more. */
export async function embedded({ db, clock, standings, siteOf }: EmbedKeeping, { id, app }: { id: string; app: string }, caller: Caller): Promise<{ session: EmbedSession; standing: EmbedStanding; site: EmbedSite; identity: Identity } | undefined> {
  const session = await findEmbedSession(db, hashOf(id), clock.now());
  if (session?.app !== app) return undefined;
  const standing = await standings.of(app, caller);
  if (!isLive(standing, session, clock.now())) return undefined;
  const site = siteOf(standing.product);
  if (!site) return undefined;
  const { endsAt, accessUntil } = standing;
  // What a person may do elsewhere is their own session's: no roles, groups, address or name come into a frame.
  return { session, standing, site, identity: { sub: session.userId, sid: null, email: '', name: '', roles: [], groups: [], trial: { app, endsAt, accessUntil }, claims: null } };
}

function isLive(standing: EmbedStanding | undefined, { generation, userId }: Pick<EmbedSession, 'generation' | 'userId'>, now: Date): standing is EmbedStanding {
  return standing?.generation === generation && standing.userId === userId && (standing.accessUntil === null || standing.accessUntil > now);
}

function hashOf(id: string): Buffer {
  return hash('sha256', id, 'buffer');
}
