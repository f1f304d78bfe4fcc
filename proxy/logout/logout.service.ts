import type { Provider } from '../provider/provider.ts';
import type { LogoutToken } from '../provider/logout-token.ts';
import { lockLogin, recordEnd, takeLogoutToken } from '../session/ended-login.store.ts';
import { endSession, forgetAll, tokensOf, type Session, type SessionKeeping } from '../session/session.service.ts';
import { deleteSessions } from '../session/session.store.ts';

/** Ends the session here first, then says where the browser ends it at the provider; here only when that is out of reach. */
export async function logOut(
  parts: Pick<SessionKeeping, 'db' | 'seal' | 'live' | 'issuer' | 'sitesOfIssuer'> & { provider: Pick<Provider, 'endSessionUrl'> },
  session: Session | undefined,
  wish: { doneUrl: string; language: string },
): Promise<{ location: string; fault?: unknown }> {
  if (!session) return { location: wish.doneUrl };
  const idToken = (await tokensOf(parts, session))?.idToken;
  await endSession(parts, session);
  if (idToken === undefined) return { location: wish.doneUrl };
  return parts.provider.endSessionUrl({ id_token_hint: idToken, post_logout_redirect_uri: wish.doneUrl, ui_locales: wish.language }).then(
    (url) => ({ location: url.href }),
    (fault: unknown) => ({ location: wish.doneUrl, fault }),
  );
}

/**
 * Back-channel logout: what the provider has ended ends here, on every replica, and a sign-in that is under way with it does not
 * begin (SECURITY.md 23). With `sid` that session, else everything of the person up to then. A token that was taken before is a replay.
 */
export async function endByProvider(keeping: Pick<SessionKeeping, 'db' | 'live' | 'issuer' | 'sitesOfIssuer'>, token: LogoutToken): Promise<{ outcome: 'ended'; sessions: number } | { outcome: 'replayed' }> {
  const { sid, sub } = token;
  const { issuer, sitesOfIssuer: sites } = keeping;
  const ended = await keeping.db.transaction().execute(async (trx) => {
    await lockLogin(trx, { issuer, sid, sub: sid === null ? sub : null });
    if (!(await takeLogoutToken(trx, issuer, token.jti, token.expiresAt))) return undefined;
    if (sid !== null) {
      await recordEnd(trx, 'sid', issuer, sid);
      return deleteSessions(trx, { sites, sid });
    }
    const name = sub ?? '';
    await recordEnd(trx, 'sub', issuer, name);
    return deleteSessions(trx, { sites, sub: name });
  });
  if (!ended) return { outcome: 'replayed' };
  forgetAll(keeping, ended);
  return { outcome: 'ended', sessions: ended.length };
}
