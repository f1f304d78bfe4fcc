/** RFC 9110 7.6.1, and what older proxies kept between hops. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'http2-settings',
]);

/** A browser's `Connection: keep-alive, Content-Length` must not change how a body is read. */
const FRAMING = new Set(['', 'content-length', 'host']);

/** The headers, as name, value, name, value …, that are not for one hop and that pass. */
export function endToEnd(raw: readonly string[], passes: (lowerName: string, value: string) => boolean): string[] {
  const named = connectionNames(raw);
  const headers: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    const lowerName = name.toLowerCase();
    if (!HOP_BY_HOP.has(lowerName) && !named.has(lowerName) && passes(lowerName, value)) headers.push(name, value);
  }
  return headers;
}

/** Headers that `Connection` names are for one hop; it can't take away what is added afterwards (CVE-2024-45410). */
function connectionNames(raw: readonly string[]): Set<string> {
  return new Set(
    allValues(raw, 'connection')
      .flatMap((value) => value.toLowerCase().split(','))
      .map((name) => name.trim())
      .filter((name) => !FRAMING.has(name)),
  );
}

export function allValues(raw: readonly string[], lowerName: string): string[] {
  return raw.filter((_value, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === lowerName);
}
