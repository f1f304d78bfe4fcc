import type { Products } from './products.ts';
import { targetFault } from './request-target.ts';

export const LONGEST_NEXT_PAGE = 2_000;

/**
 * Where a sign-in may lead: a path of the proxy outside `/api`, or exactly a product's start_url. Anything else counts as not asked for.
 * Control characters and backslashes are refused before parsing: URL parsers drop or convert them.
 */
export function nextPage(candidate: unknown, publicUrl: string, products: Products): string | undefined {
  if (typeof candidate !== 'string' || candidate === '' || candidate.length > LONGEST_NEXT_PAGE || !candidate.isWellFormed()) return undefined;
  if (products.some((product) => product.start_url === candidate)) return candidate;
  // eslint-disable-next-line no-control-regex
  if (!candidate.startsWith('/') || /[\u0000-\u0020\u007f-\u00a0\u2000-\u200f\u2028-\u202f\u3000\ufeff\\]/.test(candidate)) return undefined;
  if (!URL.canParse(candidate, publicUrl)) return undefined;
  const [beforeFragment = '', ...fragment] = candidate.split('#');
  if (targetFault(encodeURI(beforeFragment).replaceAll('%25', '%')) !== undefined) return undefined;
  const url = new URL(candidate, publicUrl);
  if (url.origin !== new URL(publicUrl).origin || /^\/api(?:[/;]|$)/i.test(decodeAscii(url.pathname))) return undefined;
  const page = `${url.pathname}${url.search}${fragment.length > 0 ? url.hash : ''}`;
  return page.length > LONGEST_NEXT_PAGE ? undefined : page;
}

function decodeAscii(path: string): string {
  return path.replace(/%([0-7][0-9a-f])/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
