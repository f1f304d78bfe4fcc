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

type Said = Partial<Record<'uri' | 'method' | 'host' | 'url', string | typeof TWICE>>;

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
    const found = SAID.exec(raw[at] ?? '');
    if (found === null) continue;
    const what = (found[1] ?? found[2] ?? '').toLowerCase() as keyof Said;
    said[what] = what in said ? TWICE : (raw[at + 1] ?? '');
  }
  return said;
}

function about(uri: string | undefined, host: string | undefined, method: string): AskedAbout | undefined {
  return uri === undefined || host === undefined ? undefined : { uri, method, host: host.toLowerCase() };
}
