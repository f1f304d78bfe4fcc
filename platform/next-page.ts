import type { Products } from './products.ts';
import { targetFault } from './request-target.ts';

export const LONGEST_NEXT_PAGE = 2_000;

/**
 * Where a sign-in may lead: a path of the proxy or of a configured origin outside `/api`, or exactly a product's start_url. Anything
 * else counts as not asked for.
 */
export function nextPage(candidate: unknown, publicUrl: string, products: Products, origins: readonly string[] = []): string | undefined {
  if (typeof candidate !== 'string' || candidate === '' || candidate.length > LONGEST_NEXT_PAGE || !candidate.isWellFormed()) return undefined;
  if (products.some((product) => product.start_url === candidate)) return candidate;
  const elsewhere = origins.find((origin) => candidate === origin || candidate.startsWith(`${origin}/`)) ?? '';
  const path = pathOn(elsewhere === '' ? publicUrl : elsewhere, candidate === elsewhere ? '/' : candidate.slice(elsewhere.length));
  const page = path === undefined ? undefined : elsewhere + path;
  return page === undefined || page.length > LONGEST_NEXT_PAGE ? undefined : page;
}

/** Control characters and backslashes are refused before parsing: URL parsers drop or convert them. */
function pathOn(origin: string, candidate: string): string | undefined {
  // eslint-disable-next-line no-control-regex
  if (!candidate.startsWith('/') || /[\u0000-\u0020\u007f-\u00a0\u2000-\u200f\u2028-\u202f\u3000\ufeff\\]/.test(candidate)) return undefined;
  if (!URL.canParse(candidate, origin)) return undefined;
  const [beforeFragment = '', ...fragment] = candidate.split('#');
  if (targetFault(encodeURI(beforeFragment).replaceAll('%25', '%')) !== undefined) return undefined;
  const url = new URL(candidate, origin);
  if (url.origin !== new URL(origin).origin || /^\/api(?:[/;]|$)/i.test(decodeAscii(url.pathname))) return undefined;
  return `${url.pathname}${url.search}${fragment.length > 0 ? url.hash : ''}`;
}

function decodeAscii(path: string): string {
  return path.replace(/%([0-7][0-9a-f])/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
