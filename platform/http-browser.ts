const MOST_REDIRECTS = 20;

export interface Form {
  id: string | undefined;
  /** The address of the page it stands on. */
  page: string;
  action: string;
  method: 'GET' | 'POST';
  /** The fields as a browser would post them: named, enabled, checked where they must be. */
  fields: Record<string, string>;
}

export interface Visit {
  url: string;
  /** 0 at an address that was not asked: nobody listens there, or the browser was told not to follow. */
  status: number;
  headers: Headers;
  body: string;
  /** Every address on the way, the last one included. */
  hops: string[];
  /** By its id or its place; the first one, where nothing is said. */
  form(which?: string | number): Form;
  /** The first link whose address fits, or `otherwise`. */
  link(fits: RegExp, otherwise?: string): string;
}

export interface HttpBrowser {
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<Visit>;
  head(url: string): Promise<Visit>;
  /** Sends the form (of a page: its first one), with `values` put into its fields. */
  submit(form: Form | Visit, values?: Readonly<Record<string, string>>): Promise<Visit>;
  json(url: string): Promise<ReturnType<typeof JSON.parse>>;
  /** The cookies that would go to that address. */
  cookies(url: string): Record<string, string>;
  /** Closed and opened again: cookies of the session are gone. */
  restart(): void;
}

export interface HttpBrowserOptions {
  /** False for redirects in front of which to stop. */
  follow?: (url: URL) => boolean;
  /** Instead of fetch: for addresses that several servers answer. */
  fetch?: (url: URL, request: RequestInit) => Promise<Response>;
}

interface Cookie {
  name: string;
  value: string;
  /** Host, not port: cookies don't know ports. */
  host: string;
  path: string;
  persistent: boolean;
}

/** Cookies, redirects and forms as a browser has them, without one: fifty at once cost nothing. Scripts do not run. */
export function httpBrowser({ follow = () => true, fetch: ask = fetch }: HttpBrowserOptions = {}): HttpBrowser {
  let jar: Cookie[] = [];

  // Keycloak's cookies are Secure over plain http too; browsers send them to localhost all the same.
  const cookiesFor = (url: URL): Cookie[] => jar.filter((cookie) => cookie.host === url.hostname && pathFits(url.pathname, cookie.path));

  const keep = (url: URL, response: Response): void => {
    for (const line of response.headers.getSetCookie()) {
      const { cookie, gone } = parseCookie(line, url);
      jar = jar.filter((one) => !(one.name === cookie.name && one.host === cookie.host && one.path === cookie.path));
      if (!gone) jar.push(cookie);
    }
  };

  const send = async (url: URL, request: RequestInit): Promise<Response> => {
    const cookie = cookiesFor(url).map(({ name, value }) => `${name}=${value}`).join('; ');
    const headers = { Accept: 'text/html,*/*;q=0.8', ...(request.headers as Record<string, string>), ...(cookie ? { Cookie: cookie } : {}) };
    const response = await ask(url, { ...request, redirect: 'manual', headers });
    keep(url, response);
    return response;
  };

  const visit = async (address: string, first: RequestInit): Promise<Visit> => {
    const hops = [address];
    let url = new URL(address);
    let request = first;
    while (hops.length <= MOST_REDIRECTS) {
      const response = await send(url, request).catch((error: unknown) => {
        if (hops.length > 1 && isRefused(error)) return undefined;
        throw error;
      });
      if (!response) return makePage(url, 0, new Headers(), '', hops);
      const location = response.headers.get('location');
      const text = await response.text();
      if (!location || response.status < 300 || response.status >= 400) return makePage(url, response.status, response.headers, text, hops);
      url = new URL(location, url);
      hops.push(url.href);
      if (!follow(url)) return makePage(url, 0, response.headers, '', hops);
      // 307 and 308 keep method and body; the others become a GET.
      if (response.status !== 307 && response.status !== 308) request = request.method === 'HEAD' ? { method: 'HEAD' } : {};
    }
    throw new Error(`More than ${MOST_REDIRECTS} redirects:\n${hops.map((hop) => hop.split('?')[0]).join('\n')}`);
  };

  return {
    get: (url, headers = {}) => visit(url, { headers }),
    head: (url) => visit(url, { method: 'HEAD' }),
    submit: (form, values = {}) => {
      const { action, method, fields, page } = 'action' in form ? form : form.form();
      const data = new URLSearchParams({ ...fields, ...values }).toString();
      if (method === 'GET') return visit(`${action.split('?')[0]}?${data}`, {});
      return visit(action, { method, body: data, headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: new URL(page).origin, Referer: page } });
    },
    json: async (url) => {
      const response = await send(new URL(url), { headers: { Accept: 'application/json' } });
      return JSON.parse(await response.text());
    },
    cookies: (url) => Object.fromEntries(cookiesFor(new URL(url)).map(({ name, value }) => [name, value])),
    restart: () => {
      jar = jar.filter((cookie) => cookie.persistent);
    },
  };
}

function makePage(url: URL, status: number, headers: Headers, body: string, hops: string[]): Visit {
  const complain = (what: string): Error => new Error(`There is no ${what} on ${url.origin}${url.pathname} (${status}):\n${body.replaceAll(/\s*\n\s*/g, '\n').slice(0, 3000)}`);
  return {
    url: url.href,
    status,
    headers,
    body,
    hops,
    form: (which = 0) => {
      const forms = formsIn(body, url.href);
      const form = typeof which === 'number' ? forms[which] : forms.find((one) => one.id === which);
      if (!form) throw complain(`form ${which}`);
      return form;
    },
    link: (fits, otherwise) => {
      const links = [...body.matchAll(/<a\b[^>]*>/gi)].map(([tag]) => attribute(tag, 'href') ?? '');
      const found = links.find((link) => fits.test(link)) ?? otherwise;
      if (found === undefined) throw complain(`link like ${fits}`);
      return new URL(found, url).href;
    },
  };
}

function isRefused(error: unknown): boolean {
  // Jest's fetch throws errors of another realm: instanceof would say no.
  const { cause } = error as { cause?: { code?: string; message?: string; errors?: { code?: string }[] } };
  return cause?.code === 'ECONNREFUSED' || cause?.errors?.every((one) => one.code === 'ECONNREFUSED') === true || cause?.message === 'bad port';
}

/** The forms of a page, their actions made absolute. */
export function formsIn(html: string, base: string): Form[] {
  return [...html.matchAll(/(<form\b[^>]*>)([\s\S]*?)<\/form>/gi)].map(([, opening = '', content = '']) => ({
    id: attribute(opening, 'id'),
    page: base,
    action: new URL(attribute(opening, 'action') ?? '', base).href,
    method: attribute(opening, 'method')?.toUpperCase() === 'POST' ? 'POST' : 'GET',
    fields: Object.fromEntries([...inputsIn(content), ...selectsIn(content)]),
  }));
}

function inputsIn(content: string): [string, string][] {
  return [...content.matchAll(/<input\b[^>]*>/gi)].flatMap(([tag]): [string, string][] => {
    const name = attribute(tag, 'name');
    const type = attribute(tag, 'type')?.toLowerCase() ?? 'text';
    if (!name || has(tag, 'disabled') || ['submit', 'button', 'image', 'reset'].includes(type)) return [];
    if ((type === 'checkbox' || type === 'radio') && !has(tag, 'checked')) return [];
    return [[name, attribute(tag, 'value') ?? (type === 'checkbox' ? 'on' : '')]];
  });
}

function selectsIn(content: string): [string, string][] {
  return [...content.matchAll(/(<select\b[^>]*>)([\s\S]*?)<\/select>/gi)].flatMap(([, opening = '', inner = '']): [string, string][] => {
    const name = attribute(opening, 'name');
    const options = [...inner.matchAll(/<option\b[^>]*>/gi)].map(([tag]) => tag);
    const chosen = options.find((tag) => has(tag, 'selected')) ?? options[0];
    return name && chosen && !has(opening, 'disabled') ? [[name, attribute(chosen, 'value') ?? '']] : [];
  });
}

function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(tag);
  return found ? unescapeHtml(found[1] ?? found[2] ?? '') : undefined;
}

function has(tag: string, name: string): boolean {
  return new RegExp(`\\s${name}(?=[\\s=/>])`, 'i').test(tag.replaceAll(/"[^"]*"|'[^']*'/g, '""'));
}

const ENTITIES: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: '<', gt: '>', amp: '&' };

function unescapeHtml(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name ?? ''] ?? whole;
  });
}

function parseCookie(line: string, url: URL): { cookie: Cookie; gone: boolean } {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
  const at = pair.indexOf('=');
  const given = new Map(attributes.map((part) => [part.split('=', 1)[0]?.toLowerCase() ?? '', part.slice(part.indexOf('=') + 1)]));
  const maxAge = given.get('max-age');
  const expires = given.get('expires');
  const gone = maxAge === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(maxAge) <= 0;
  const asked = given.get('path');
  const path = asked?.startsWith('/') ? asked : url.pathname.slice(0, url.pathname.lastIndexOf('/')) || '/';
  const persistent = maxAge !== undefined || expires !== undefined;
  return { cookie: { name: pair.slice(0, at), value: pair.slice(at + 1), host: url.hostname, path, persistent }, gone };
}

function pathFits(path: string, cookiePath: string): boolean {
  return path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
}
