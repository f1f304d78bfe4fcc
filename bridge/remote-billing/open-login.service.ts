import { mustAccept, type Catalog } from './catalog.ts';
import type { Db } from '../db/schema.ts';
import { findBillingSession } from './billing-session.store.ts';
import { findBillingUserById, type BillingUser } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { judgeToken, type Judged } from './judge-access.service.ts';
import { findPlace, idsOf, isSamePlace, type Place } from './place.ts';
import type { Refusal } from './standing.ts';

export type OpenedLogin =
  | { result: 'email_form'; place: Place; email: string; expiresAt: Date }
  | {
      result: 'confirm_login';
      place: Place;
      email: string;
      fullName: string;
      mustAccept: boolean;
      firstLogin: boolean;
      user: BillingUser | undefined;
      expiresAt: Date;
      /** Somebody else, or another place, that this browser is signed in for. */
      replaces: { user: BillingUser; place: Place } | undefined;
    }
  | Refusal;

type Using = Parameters<typeof judgeToken>[1] & { catalog: Catalog };

/** Step 4: the confirm page for who is known, or has just proven an address; else the form that asks for one. Changes nothing. */
export async function openLogin(db: Db, using: Using, { token, sessionId }: { token: string; sessionId: string | undefined }, from: From): Promise<OpenedLogin> {
  const judged = await judgeToken(db, using, token, 'open', from);
  if (judged.result === 'refused') return judged;
  const { access, place, request, user } = judged;
  if (request === undefined && user?.state !== 'confirmed') {
    return { result: 'email_form', place, email: access.realm?.user.email ?? '', expiresAt: access.expiresAt };
  }
  return {
    result: 'confirm_login',
    place,
    email: request?.email ?? user?.email ?? '',
    fullName: user?.fullName || (access.realm?.user.fullName ?? ''),
    mustAccept: mustAccept(using.catalog.terms.version, user?.tosVersion ?? null),
    firstLogin: user?.state !== 'confirmed',
    user,
    expiresAt: access.expiresAt,
    replaces: sessionId === undefined ? undefined : await otherSession(db, sessionId, judged),
  };
}

async function otherSession(db: Db, sessionId: string, { place, user }: Judged): Promise<{ user: BillingUser; place: Place } | undefined> {
  const session = await findBillingSession(db, { id: sessionId });
  if (session === undefined || session.ended || session.endsAt <= new Date()) return undefined;
  if (session.userId === user?.id && isSamePlace(session, idsOf(place))) return undefined;
  const [theirs, there] = [await findBillingUserById(db, session.userId), await findPlace(db, session)];
  return theirs && there && { user: theirs, place: there };
}
