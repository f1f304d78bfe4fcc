import type { RequestHandler } from 'express';
import { epochSeconds } from '../../platform/clock.ts';
import { currentSession, expiryOf, type SessionKeeping } from './session.service.ts';

/** Who is signed in, for scripts of the app. Instants are epoch seconds. Always 200. */
export function sessionRoute(keeping: SessionKeeping, publicUrl: string): RequestHandler {
  return async (req, res) => {
    const session = await currentSession(keeping, req.headers.cookie);
    if (!session) return void res.json({ authenticated: false, login_url: `${publicUrl}/api/login` });
    const { trial } = session;
    return void res.json({
      authenticated: true,
      user: { id: session.sub, email: session.email, name: session.name },
      trial: trial && { app: trial.app, ends_at: trial.endsAt && epochSeconds(trial.endsAt), access_until: trial.accessUntil && epochSeconds(trial.accessUntil) },
      expires_at: epochSeconds(expiryOf(session, keeping.limits)),
    });
  };
}
