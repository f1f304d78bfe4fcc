import type { Provider } from '../provider/provider.ts';
import { endSession, tokensOf, type Session, type SessionKeeping } from '../session/session.service.ts';

/** Ends the session here first, then says where the browser ends it at the provider; here only when that is out of reach. */
export async function logOut(
  parts: Pick<SessionKeeping, 'db' | 'seal'> & { provider: Pick<Provider, 'endSessionUrl'> },
  session: Session | undefined,
  wish: { doneUrl: string; language: string },
): Promise<{ location: string; fault?: unknown }> {
  if (!session) return { location: wish.doneUrl };
  const idToken = tokensOf(parts, session)?.idToken;
  await endSession(parts, session);
  if (idToken === undefined) return { location: wish.doneUrl };
  return parts.provider.endSessionUrl({ id_token_hint: idToken, post_logout_redirect_uri: wish.doneUrl, ui_locales: wish.language }).then(
    (url) => ({ location: url.href }),
    (fault: unknown) => ({ location: wish.doneUrl, fault }),
  );
}
