/** RFC 9110 7.6.1, and what older proxies kept between hops. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'http2-settings',
]);

/** A browser's `Connection: keep-alive, Content-Length` must not change how a body is read. */
const FRAMING = new Set(['content-length', 'host']);
const MOST_REMEMBERED_NAMES = 1_000;

/** What becomes of a header, by its name: `unless_named` by `Connection`; `cookie` when its value decides, and named by `Connection` it ends. */
export type Fate = 'passes' | 'unless_named' | 'connection' | 'cookie' | 'ends';

/** `special` decides first; a name is looked at once: few are sent, again and again. */
export function rememberedFates(special: (lowerName: string) => Fate | undefined): (name: string) => Fate {
  const remembered = new Map<string, Fate>();
  return (name) => {
    let fate = remembered.get(name);
    if (fate === undefined) {
      const lowerName = name.toLowerCase();
      fate = special(lowerName) ?? ordinaryFate(lowerName);
      if (remembered.size < MOST_REMEMBERED_NAMES) remembered.set(name, fate);
    }
    return fate;
  };
}

function ordinaryFate(lowerName: string): Fate {
  if (lowerName === 'connection') return 'connection';
  if (HOP_BY_HOP.has(lowerName)) return 'ends';
  return FRAMING.has(lowerName) ? 'passes' : 'unless_named';
}

/** Names no header: most requests say one of these. */
const NAMES_NONE = new Set(['keep-alive', 'close', 'Keep-Alive', 'Close']);

/** Adds to `headers` (name, value, name, value …) what is not for one hop, and passes; answers with the values of cookie headers, which the caller judges. */
export function passOn(raw: readonly string[], headers: string[], fateOf: (name: string) => Fate, named?: ReadonlySet<string>): string[] | undefined {
  const before = headers.length;
  let cookies: string[] | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    const fate = fateOf(name);
    if (fate === 'ends') continue;
    if (fate === 'connection') {
      if (named !== undefined || NAMES_NONE.has(value)) continue;
      headers.length = before;
      return passOn(raw, headers, fateOf, connectionNames(raw, fateOf));
    }
    if (fate !== 'passes' && named?.has(name.toLowerCase())) continue;
    if (fate === 'cookie') (cookies ??= []).push(value);
    else headers.push(name, value);
  }
  return cookies;
}

/** Headers that `Connection` names are for one hop; it can't take away what is added afterwards (CVE-2024-45410). */
function connectionNames(raw: readonly string[], fateOf: (name: string) => Fate): Set<string> {
  const named = new Set<string>();
  for (let at = 0; at < raw.length; at += 2) {
    if (fateOf(raw[at] ?? '') !== 'connection') continue;
    for (const name of (raw[at + 1] ?? '').toLowerCase().split(',')) named.add(name.trim());
  }
  return named;
}
