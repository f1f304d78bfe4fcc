/** The request that a gateway asks about. */
export interface AskedAbout {
  uri: string;
  method: string;
  /** In lower case. */
  host: string;
}

const SAID = /^x-(?:forwarded-(uri|method|host)|original-(uri|method|host|url))$/i;
const WHOLE = /^https?:\/\/([^/?#]+)(\/.*)$/;
/** Said twice, in whatever words: one of them may be the browser's. */
const TWICE = Symbol('twice');

type What = 'uri' | 'method' | 'host' | 'url';
type Said = Partial<Record<What, string | typeof TWICE>>;

/**
 * From a request's headers as name, value, name, value …: caddy and traefik say `X-Forwarded-Uri`, `-Host`, `-Method`; nginx
 * `X-Original-…` as docs/proxy.md has it; ingress-nginx the whole address in `X-Original-URL`. Undefined: not said, or said twice.
 */
export function askedAbout(raw: readonly string[]): AskedAbout | undefined {
  const { uri, host, url, method = 'GET' } = whatIsSaid(raw);
  if (method === TWICE || url === TWICE || uri === TWICE || host === TWICE) return undefined;
  if (url === undefined) return about(uri, host, method);
  const [, itsHost, itsUri] = WHOLE.exec(url) ?? [];
  return uri === undefined && host === undefined ? about(itsUri, itsHost, method) : undefined;
}

function whatIsSaid(raw: readonly string[]): Said {
  const said: Said = {};
  for (let at = 0; at < raw.length; at += 2) {
    const what = saidBy(raw[at] ?? '');
    if (what === undefined) continue;
    said[what] = what in said ? TWICE : (raw[at + 1] ?? '');
  }
  return said;
}

const MOST_REMEMBERED_NAMES = 1_000;
const remembered = new Map<string, What | undefined>();

/** A name is looked at once: few are sent, again and again. */
function saidBy(name: string): What | undefined {
  let what = remembered.get(name);
  if (what !== undefined || remembered.has(name)) return what;
  const found = SAID.exec(name);
  what = found === null ? undefined : ((found[1] ?? found[2] ?? '').toLowerCase() as What);
  if (remembered.size < MOST_REMEMBERED_NAMES) remembered.set(name, what);
  return what;
}

function about(uri: string | undefined, host: string | undefined, method: string): AskedAbout | undefined {
  return uri === undefined || host === undefined ? undefined : { uri, method, host: host.toLowerCase() };
}
