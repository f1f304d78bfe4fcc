import type { Request, RequestHandler, Response } from 'express';
import type { BlockList } from 'node:net';
import { AppError } from '../../platform/problem.ts';
import type { Bridge } from '../bridge/bridge.ts';
import { askToSignIn } from '../pages/ask-to-sign-in.ts';
import { text, type Showing } from '../pages/show.ts';
import { currentSession, type SessionKeeping } from '../session/session.service.ts';
import { notAllowed } from '../site/site.ts';

/** Realm role of the provider. Who has it is asked again with every renewal of the tokens. */
export const STAFF_ROLE = 'staff';

export interface StaffParts extends SessionKeeping, Showing {
  bridge: Pick<Bridge, 'ask'>;
  publicUrl: string;
  trustedProxies: BlockList;
}

/** Who is at work here. */
export interface Staff {
  /** The person's `sub`: the actor of what they do. */
  id: string;
  name: string;
  email: string;
  /** Goes into every form, as `form_token`. */
  formToken: string;
}

export type StaffHandler = (req: Request, res: Response, staff: Staff) => void | Promise<void>;

/** Signs in whoever is not signed in, refuses whoever is no staff, and takes forms that this very session was given. */
export function forStaff(parts: StaffParts, handler: StaffHandler): RequestHandler {
  return async (req, res) => {
    const session = await currentSession(parts, req.headers.cookie);
    if (!session) return askToSignIn(parts, parts.publicUrl, req, res, req.path);
    if (!session.roles.includes(STAFF_ROLE)) throw notAllowed();
    const key = session.idHash.toString('base64url');
    if (req.method === 'POST' && openToken(parts, req) !== key) throw new AppError('forbidden', 'Open the page of this form again and send it from there.');
    return handler(req, res, { id: session.sub, name: session.name, email: session.email, formToken: parts.seal.seal('staff-form', key) });
  };
}

function openToken({ seal }: StaffParts, req: Request): string | undefined {
  const sent = text((req.body as Readonly<Record<string, unknown>>)['form_token']);
  return sent === undefined ? undefined : seal.open<string>('staff-form', sent);
}
