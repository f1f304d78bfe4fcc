import type { IncomingHttpHeaders } from 'node:http';
import { Pool, type Dispatcher } from 'undici';
import { AppError, type Problem } from '../../platform/problem.ts';
import type { Log } from '../../platform/log.ts';
import type { Provider } from '../provider/provider.ts';

const CONNECT_LIMIT_MILLISECONDS = 2_000;
const ANSWER_LIMIT_MILLISECONDS = 10_000;
/** A report of ten thousand realms is answered with as many. */
const LONGEST_ANSWER_BYTES = 4 * 1024 * 1024;

/** What passes to the bridge and back when a program calls register through the proxy. */
const HEADERS_IN = ['content-type', 'accept', 'accept-language', 'origin', 'access-control-request-method', 'access-control-request-headers', 'user-agent'];
const HEADERS_OUT =
  /^(?:content-type|content-language|retry-after|vary|allow|cache-control|www-authenticate|access-control-(?:allow-(?:origin|methods|headers|credentials)|expose-headers|max-age))$/;

export interface Caller {
  /** Who asked the proxy; the bridge believes it because the service token comes along. */
  address: string;
  requestId: string;
}

export interface SignUp {
  username: string;
  product: string;
  locale: string;
  firstname?: string;
  lastname?: string;
  company?: string;
  next_page?: string;
  attributes?: Record<string, string>;
  consents?: { id: string; version: string }[];
  captcha?: string;
}

/** `refused`: `field` where the bridge means one. */
export type SignUpAnswer =
  | { outcome: 'accepted' }
  | { outcome: 'refused'; field: string | undefined }
  | { outcome: 'limited'; retryAfterSeconds: number }
  | { outcome: 'unavailable'; cause: unknown };

/** Where our service token goes: a self-hosted server needs `authorization` for itself (docs/decisions/0033). */
type ProofHeader = 'authorization' | 'vestibule-proxy-authorization';

export interface Passed {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer | undefined;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[]>;
  body: Buffer;
}

export interface Asking {
  method?: 'GET' | 'POST' | 'DELETE';
  /** The same call again is done once. */
  idempotencyKey?: string;
}

export interface Bridge {
  register(signUp: SignUp, caller: Caller): Promise<SignUpAnswer>;
  /** Resolves whether or not the token is known. */
  disown(token: string, caller: Caller): Promise<void>;
  /** Register as a program sent it: same path, same body, the bridge's own answer. */
  forward(request: Passed, caller: Caller): Promise<Answer>;
  /** What a self-hosted server sends, with its own credentials, in the same way. */
  forwardServer(request: Passed, caller: Caller): Promise<Answer>;
  /** A call that needs a role of ours: status and body as the bridge gave them. GET sends no message. */
  ask(path: string, message: object, caller: Caller, how?: Asking): Promise<Answer>;
  /** The feed of changed trials as it comes, after the version `after`; without `follow` it ends with what has changed so far. */
  changes(wish: { after: number; follow: boolean; signal: AbortSignal }): Promise<AsyncIterable<string>>;
  check(): Promise<void>;
  close(): Promise<void>;
}

export function createBridge(bridgeUrl: string, provider: Pick<Provider, 'serviceToken'>, log: Log): Bridge {
  const { origin, pathname } = new URL(bridgeUrl);
  const base = pathname.replace(/\/$/, '');
  const pool = new Pool(origin, { connect: { timeout: CONNECT_LIMIT_MILLISECONDS }, connections: 32 });

  const send = async (options: Omit<Dispatcher.RequestOptions, 'origin'>): Promise<Answer> => {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MILLISECONDS);
    try {
      const answer = await pool.request({ ...options, path: base + options.path, signal: limit });
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > LONGEST_ANSWER_BYTES) throw new Error(`the answer is longer than ${LONGEST_ANSWER_BYTES} bytes`);
        chunks.push(chunk);
      }
      return { status: answer.statusCode, headers: answer.headers as Answer['headers'], body: Buffer.concat(chunks) };
    } catch (error) {
      if (limit.aborted) throw new AppError('gateway_timeout', 'Try again in a minute.', { cause: error });
      throw new AppError('bad_gateway', 'Try again in a minute.', { cause: error });
    }
  };

  /** With the service token; once more with a new one where the bridge refuses the one we kept. */
  const sendAsProxy = async (options: Omit<Dispatcher.RequestOptions, 'origin'>, caller: Caller, proof: ProofHeader = 'authorization'): Promise<Answer> => {
    const headers = { ...(options.headers as Record<string, string>), 'x-request-id': caller.requestId, 'x-forwarded-for': caller.address };
    const answer = await send({ ...options, headers: { ...headers, [proof]: `Bearer ${await provider.serviceToken()}` } });
    if (!refusesToken(answer, proof)) return answer;
    return send({ ...options, headers: { ...headers, [proof]: `Bearer ${await provider.serviceToken({ renew: true })}` } });
  };

  /** These need no proof of ours: without one the bridge counts this proxy as the client, which is better than nobody getting in. */
  const sendOpen = async (options: Omit<Dispatcher.RequestOptions, 'origin'>, caller: Caller, proof?: ProofHeader): Promise<Answer> => {
    const token = await provider.serviceToken().catch((error: unknown) => {
      log.warn({ err: error, request_id: caller.requestId }, 'no service token: the bridge sees this proxy as the client');
    });
    if (token !== undefined) return sendAsProxy(options, caller, proof);
    return send({ ...options, headers: { ...(options.headers as Record<string, string>), 'x-request-id': caller.requestId } });
  };

  const askForChanges = async ({ after, follow, signal }: Parameters<Bridge['changes']>[0], renew: boolean) =>
    pool.request({
      method: 'GET',
      path: `${base}/api/trial/changes?follow=${follow}`,
      headers: { accept: 'text/event-stream', authorization: `Bearer ${await provider.serviceToken({ renew })}`, 'last-event-id': String(after) },
      bodyTimeout: 0,
      // A bridge that stops must not be asked again on the connection that it is waiting for.
      reset: true,
      signal,
    });
  const pass = async ({ method, path, headers, body }: Passed, names: readonly string[], caller: Caller, proof?: ProofHeader): Promise<Answer> => {
    const passed = Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
    const answer = await sendOpen({ method, path, headers: passed as Record<string, string>, body: body ?? null }, caller, proof);
    return { ...answer, headers: Object.fromEntries(Object.entries(answer.headers).filter(([name]) => HEADERS_OUT.test(name))) };
  };

  return {
    register: async (signUp, caller) => {
      const answer = await sendOpen(post('/api/trial/register', signUp), caller).catch((error: unknown) => error);
      return signUpAnswer(answer);
    },
    disown: async (token, caller) => {
      const { status } = await sendAsProxy(post('/api/trial/not-me', { token }), caller);
      if (status >= 400) throw new AppError('bad_gateway', 'Try again in a minute.', { cause: new Error(`not-me answered ${status}`) });
    },
    forward: (request, caller) => pass(request, HEADERS_IN, caller),
    forwardServer: (request, caller) => pass(request, [...HEADERS_IN, 'authorization'], caller, 'vestibule-proxy-authorization'),
    ask: (path, message, caller, how) => sendAsProxy(asked(path, message, how), caller),
    changes: async (wish) => {
      let answer = await askForChanges(wish, false);
      if (answer.statusCode === 401) {
        await answer.body.dump();
        answer = await askForChanges(wish, true);
      }
      if (answer.statusCode === 200) return answer.body.setEncoding('utf8') as AsyncIterable<string>;
      await answer.body.dump();
      throw new Error(`the bridge answers ${answer.statusCode} to whoever asks for changes`);
    },
    check: async () => {
      const { status } = await send({ method: 'GET', path: '/livez' });
      if (status !== 200) throw new Error(`the bridge answers ${status}`);
    },
    close: () => pool.close(),
  };
}

/** A server's own wrong key is answered by 401 too, with a Basic challenge: that one is for the server. */
function refusesToken({ status, headers }: Answer, proof: ProofHeader): boolean {
  return status === 401 && (proof === 'authorization' || String(headers['www-authenticate']).startsWith('Bearer'));
}

function post(path: string, body: object): Omit<Dispatcher.RequestOptions, 'origin'> {
  return { method: 'POST', path, headers: { 'content-type': 'application/json', accept: 'application/json' }, body: JSON.stringify(body) };
}

function asked(path: string, message: object, { method = 'POST', idempotencyKey }: Asking = {}): Omit<Dispatcher.RequestOptions, 'origin'> {
  if (method === 'GET') return { method, path, headers: { accept: 'application/json' } };
  const { headers, body } = post(path, message);
  return { method, path, headers: { ...(headers as Record<string, string>), ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }) }, body: body ?? null };
}

function signUpAnswer(answer: unknown): SignUpAnswer {
  if (answer instanceof Error) return { outcome: 'unavailable', cause: answer };
  const { status, headers, body } = answer as Answer;
  if (status === 202) return { outcome: 'accepted' };
  if (status === 429) return { outcome: 'limited', retryAfterSeconds: Math.max(1, Number(headers['retry-after']) || 60) };
  if (status >= 400 && status < 500 && status !== 401 && status !== 403) return { outcome: 'refused', field: fieldIn(body) };
  return { outcome: 'unavailable', cause: new Error(`register answered ${status}`) };
}

function fieldIn(body: Buffer): string | undefined {
  try {
    const { field } = JSON.parse(body.toString('utf8')) as Partial<Problem>;
    return typeof field === 'string' ? field : undefined;
  } catch {
    return undefined;
  }
}
