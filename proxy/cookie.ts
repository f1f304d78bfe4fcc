/** The proxy's own cookies: never shown to the app, never set by it. */
export interface CookieJar {
  session: string;
  language: string;
  notice: string;
  /** Billing sessions are apart from `session`. */
  billing: string;
  billingForm: string;
  login(transactionId: string): string;
  /** Transaction ids for which this Cookie header carries a login cookie. */
  loginIds(cookies: Cookies): string[];
  set(name: string, value: string, maxAgeSeconds?: number): string;
  clear(name: string): string;
}

export type Cookies = ReadonlyMap<string, readonly string[]>;

/** Also the nameless `=__Host-vestibule=…`, which browsers send back without its first `=`. */
const OWN = /^[\s=]*(?:__Host-|__Secure-)?vestibule(?:[-_]|\s*(?:[=;]|$))/i;

/** `__Host-` names over https; without it a development name, which browsers accept on plain http. */
export function cookieJar(publicUrl: string): CookieJar {
  const secure = publicUrl.startsWith('https:');
  const base = secure ? '__Host-vestibule' : 'vestibule_dev';
  const separator = secure ? '-' : '_';
  const named = (part: string): string => `${base}${separator}${part}`;
  const loginPrefix = named(`login${separator}`);
  const attributes = `; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  return {
    session: base,
    language: named('lang'),
    notice: named('notice'),
    billing: named('billing'),
    billingForm: named(`billing${separator}form`),
    login: (transactionId) => `${loginPrefix}${transactionId}`,
    loginIds: (cookies) => [...cookies.keys()].filter((name) => name.startsWith(loginPrefix)).map((name) => name.slice(loginPrefix.length)),
    set: (name, value, maxAgeSeconds) => `${name}=${value}${attributes}${maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`}`,
    clear: (name) => `${name}=${attributes}; Max-Age=0`,
  };
}

export function readCookies(header: string | undefined): Cookies {
  const cookies = new Map<string, string[]>();
  for (const [name, value] of pairs(header)) {
    const values = cookies.get(name);
    if (values) values.push(value);
    else cookies.set(name, [value]);
  }
  return cookies;
}

/** The cookie's value; two of one name count as none (SECURITY 22): one of them was planted. */
export function onlyCookie(cookies: Cookies, name: string): string | undefined {
  const values = cookies.get(name);
  return values?.length === 1 ? values[0] : undefined;
}

/** {@link onlyCookie} of a Cookie header, without a look at the others: asked for every request. */
export function onlyCookieIn(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  let only: string | undefined;
  for (let from = 0; from < header.length; ) {
    const semicolon = header.indexOf(';', from);
    const to = semicolon < 0 ? header.length : semicolon;
    const at = header.indexOf('=', from);
    if (at > from && at < to && header.slice(from, at).trim() === name) {
      if (only !== undefined) return undefined;
      only = unquoted(header.slice(at + 1, to));
    }
    from = to + 1;
  }
  return only;
}

/** The Cookie header without the proxy's own; `undefined` when nothing is left. */
export function withoutOwnCookies(header: string | undefined): string | undefined {
  if (!header) return undefined;
  let kept = '';
  for (let from = 0; from < header.length; ) {
    const semicolon = header.indexOf(';', from);
    const to = semicolon < 0 ? header.length : semicolon;
    const pair = header.slice(from, to);
    if (pair.trim() !== '' && !OWN.test(pair)) kept += kept === '' ? pair : `;${pair}`;
    from = to + 1;
  }
  return kept === '' ? undefined : kept.trim();
}

export function setsOwnCookie(setCookie: string): boolean {
  return OWN.test(setCookie);
}

function* pairs(header: string | undefined): Generator<[string, string]> {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0) yield [part.slice(0, at).trim(), unquoted(part.slice(at + 1))];
  }
}

function unquoted(value: string): string {
  const trimmed = value.trim();
  return trimmed.startsWith('"') ? trimmed.replace(/^"(.*)"$/, '$1') : trimmed;
}
