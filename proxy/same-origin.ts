import type { RequestHandler } from 'express';
import { AppError } from '../platform/problem.ts';

/**
 * Forms are taken from our own pages only, beside the cookies' SameSite=Lax. Browsers send Sec-Fetch-Site to https and localhost;
 * elsewhere Origin decides. A caller that sends neither is no browser and has nobody's cookies.
 */
export function sameOrigin(publicUrl: string): RequestHandler {
  return (req, _res, next) => {
    const site = req.headers['sec-fetch-site'];
    const { origin } = req.headers;
    const ours = site === undefined ? origin === undefined || origin === publicUrl : site === 'same-origin' || site === 'none';
    if (!ours) throw new AppError('forbidden', 'Send this form from its own page.');
    next();
  };
}
