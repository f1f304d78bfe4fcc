/** Encoded slash, backslash, question mark, hash or control character: whoever decodes before he divides sees another path. */
const AMBIGUOUS_ESCAPE = /%(?:2f|5c|3f|23|[01][0-9a-f]|7f)/i;
/** Once decoded. Whoever decodes twice sees another path; a `%` before anything but two hex digits is one. */
const ESCAPE = /%[0-9a-f]{2}/i;
const BROKEN_ESCAPE = /%(?![0-9a-f]{2})/i;
const NOT_VISIBLE_ASCII = /[^\x21-\x7e]/;
/** Most targets, known to be faultless at one look: plain segments that begin with no dot, and any visible query. */
const PLAIN_TARGET = /^\/(?:[\w~-][\w.~-]*(?:\/|(?=\?|$)))*(?:\?[\x21\x22\x24-\x7e]*)?$/;

/** What is wrong with a request target, or `undefined`. What passes means the same to us and to whoever gets these very bytes. */
export function targetFault(target: string): string | undefined {
  if (PLAIN_TARGET.test(target)) return undefined;
  if (!target.startsWith('/')) return 'it is not a path';
  if (NOT_VISIBLE_ASCII.test(target)) return 'it has characters that must be percent-encoded';
  if (target.includes('#')) return 'it has a fragment';
  const path = pathOf(target);
  if (path.includes('\\')) return 'it has a backslash';
  if (path.includes('//')) return 'it has an empty segment';
  if (BROKEN_ESCAPE.test(path)) return 'it has a broken percent escape';
  if (AMBIGUOUS_ESCAPE.test(path)) return 'it has an encoded slash, backslash, question mark, hash or control character';
  if (ESCAPE.test(decoded(path))) return 'it has a character that is encoded twice';
  if (path.split('/').some(isDotSegment)) return 'it has a dot segment';
  return undefined;
}

export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** `..;x` is `..` to Java servers. */
function isDotSegment(segment: string): boolean {
  const name = plainSegment(segment);
  return name === '.' || name === '..';
}

/** Decoded, without path parameters. */
export function plainSegment(segment: string): string {
  if (!segment.includes('%') && !segment.includes(';')) return segment;
  return decoded(segment).split(';', 1)[0] ?? '';
}

function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
