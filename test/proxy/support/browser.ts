import { request as httpRequest } from 'node:http';

export interface Reply {
  status: number;
  headers: Headers;
  body: string;
  location: string | undefined;
  json<T = Record<string, unknown>>(): T;
}

export interface Request {
  method?: string;
  headers?: Record<string, string>;
  form?: Record<string, string>;
  body?: string;
}

const NAVIGATION = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-origin', 'accept-language': 'en' };

/** A browser without a screen: keeps cookies of one site, follows nothing by itself, sends bytes of the path as they are. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly origin: string;
  constructor(origin: string) {
    this.origin = origin;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    return this.send(path, { headers: { ...NAVIGATION, ...headers } });
  }

  post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Reply> {
    return this.send(path, { method: 'POST', form, headers: { ...NAVIGATION, origin: this.origin, ...headers } });
  }

  /** Goes where the answers lead, over the provider too, and stops at the first that is not a redirect. */
  async follow(reply: Reply): Promise<Reply & { at: string }> {
    let at = this.origin;
    let current = reply;
    for (let hop = 0; current.location !== undefined; hop += 1) {
      if (hop > 15) throw new Error(`redirected in a circle, last to ${current.location}`);
      at = new URL(current.location, at).href;
      const url = new URL(at);
      current = url.origin === this.origin ? await this.get(url.pathname + url.search) : await send(at, { headers: NAVIGATION });
    }
    return { ...current, at };
  }

  async send(path: string, request: Request = {}): Promise<Reply> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await send(this.origin, { ...request, headers: { ...(cookie && { cookie }), ...request.headers } }, path);
    for (const line of reply.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return reply;
  }
}

export function send(origin: string, request: Request = {}, path?: string): Promise<Reply> {
  const body = request.form ? new URLSearchParams(request.form).toString() : request.body;
  const headers = {
    ...(request.form && { 'content-type': 'application/x-www-form-urlencoded' }),
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
    ...request.headers,
  };
  const url = new URL(origin);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: url.hostname, port: url.port, path: path ?? url.pathname + url.search, method: request.method ?? 'GET', headers, agent: false, insecureHTTPParser: true },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const answered = new Headers();
          for (let at = 0; at < incoming.rawHeaders.length; at += 2) answered.append(incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? '');
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: incoming.statusCode ?? 0, headers: answered, body: text, location: answered.get('location') ?? undefined, json: <T>() => JSON.parse(text) as T });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
