import { epochSeconds, type Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Products } from '../../platform/products.ts';
import { canonicalAddress } from '../address/address.ts';
import type { Db } from '../db/schema.ts';
import { recordEvent } from '../life/event.store.ts';
import { productOf } from '../trial/provision.service.ts';
import { findUserIdByAddress } from '../trial/registration.store.ts';
import type { EmbedTokens } from './embed-token.ts';
import { findApp, raiseGeneration, type EmbeddableApp } from './embed.store.ts';

const LONGEST_SECONDS = 300;

export interface EmbedUsing {
  products: Products;
  clock: Clock;
  embedTokens: EmbedTokens | undefined;
  /** Plain http on localhost is an origin too. */
  development: boolean;
}

export interface EmbedWish {
  app: string;
  origin: string;
  username?: string | undefined;
  ttl?: number | undefined;
}

/** What an embed may do now. Instants in epoch seconds of real time; null: no end. */
export interface EmbedStanding {
  product: string;
  generation: number;
  userId: string;
  path: string;
  trialState: 'active' | 'grace' | 'expired' | 'converted';
  trialEndsAt: number | null;
  trialAccessUntil: number | null;
}

/** A token with which a page of `origin` may show one small app, once. */
export async function makeEmbedToken(db: Db, using: EmbedUsing, wish: EmbedWish): Promise<{ token: string; expiresAt: number }> {
  const { embedTokens } = using;
  if (embedTokens === undefined) throw new AppError('not_possible', 'Embeds are off: an operator sets EMBED_SIGNING_KEY.');
  const app = await findApp(db, wish.app);
  if (app === undefined || !(await isOf(db, app, wish.username))) throw new AppError('not_found', 'There is no such app, or it is not that person’s.');
  checkOrigin(using, app, wish.origin);
  if (!app.ready && productOf(using.products, app.product).provision === 'wait') throw new AppError('not_possible', 'Ask again in a moment: the app is still making this workspace.');
  const { userId, generation, trialState, trialEndsAt, trialAccessUntil } = standingOf(app, using.clock);
  if (trialState === 'expired') throw new AppError('trial_over', 'Extend the trial first (POST /api/trial/extend).');
  return embedTokens.sign({ userId, app: app.id, origin: wish.origin, generation, trialState, trialEndsAt, trialAccessUntil }, wish.ttl ?? LONGEST_SECONDS);
}

async function isOf(db: Db, app: EmbeddableApp, username: string | undefined): Promise<boolean> {
  if (username === undefined) return true;
  const address = canonicalAddress(username);
  return address !== undefined && (await findUserIdByAddress(db, address)) === app.userId;
}

/** SECURITY.md 16. What is listed is an origin already; the wish must be that very text. */
function checkOrigin({ products, development }: EmbedUsing, app: EmbeddableApp, origin: string): void {
  if (!URL.canParse(origin) || new URL(origin).origin !== origin) throw refusedOrigin('must be an origin, such as https://www.example.com, without a path.');
  const { protocol, hostname } = new URL(origin);
  const isLocal = /^(?:localhost|.*\.localhost|127\.0\.0\.1)$/.test(hostname);
  if (protocol !== 'https:' && !(development && isLocal)) throw refusedOrigin('must be https.');
  if (!productOf(products, app.product).app.embed_origins.includes(origin)) throw refusedOrigin(`is not among app.embed_origins of product ${app.product} (docs/products.md).`);
}

function refusedOrigin(words: string): AppError {
  return new AppError('invalid_request', `origin: ${words}`, { field: 'origin' });
}

/** Undefined: there is no such app any more. */
export async function readStanding(db: Db, clock: Clock, appId: string): Promise<EmbedStanding | undefined> {
  const app = await findApp(db, appId);
  return app && standingOf(app, clock);
}

function standingOf({ product, generation, userId, path, trialEndsAt, trialAccessUntil }: EmbeddableApp, clock: Clock): EmbedStanding {
  const now = clock.now();
  const toReal = (instant: Date | null) => instant && epochSeconds(clock.toReal(instant));
  const ended = trialEndsAt !== null && trialEndsAt <= now;
  const trialState = trialAccessUntil === null ? 'converted' : trialAccessUntil <= now ? 'expired' : ended ? 'grace' : 'active';
  return { product, generation, userId, path, trialState, trialEndsAt: toReal(trialEndsAt), trialAccessUntil: toReal(trialAccessUntil) };
}

/** Ends every embed of an app, and every token for one. */
export async function revokeEmbeds(db: Db, clock: Clock, appId: string, from: { actor: string; reason: string; requestId: string }): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const app = await findApp(trx, appId);
    if (app === undefined) throw new AppError('not_found', 'There is no such app.');
    await raiseGeneration(trx, appId);
    if (app.lifeId !== null) await recordEvent(trx, { ...from, lifeId: app.lifeId, at: clock.now(), kind: 'embeds_revoked' });
  });
}
