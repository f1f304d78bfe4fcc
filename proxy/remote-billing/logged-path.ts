import type { Request } from 'express';

/** Tokens and keys of billing stand behind these, in whatever spelling. */
const BEFORE_TOKENS = /(remote-billing-login|serverlogin)\/.*$/is;

/** The path of a request; the route's pattern, or nothing after its first word, where a billing token stands in it (SECURITY.md 14). */
export function loggedPath(req: Pick<Request, 'originalUrl'> & { route?: { path?: unknown } }): string {
  const path = req.originalUrl.split('?', 1)[0] ?? '';
  const plain = path.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (!BEFORE_TOKENS.test(plain)) return path;
  return typeof req.route?.path === 'string' ? req.route.path : plain.replace(BEFORE_TOKENS, '$1/…');
}
