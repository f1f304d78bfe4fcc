import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, toProblem } from '../../platform/problem.ts';

/** Which pages of other origins may call the apps of a site with their people's sessions, and how (Fetch standard, CORS). */
export interface CorsRules {
  origins: readonly string[];
  methods: readonly string[];
  /** Request headers, in lower case. */
  headers: readonly string[];
  /** Answer headers that scripts may read. */
  exposed: readonly string[];
  maxAgeSeconds: number;
}

/** Methods and headers that need no leave. */
const SIMPLE_METHODS = new Set(['GET', 'HEAD', 'POST']);

/**
 * What an answer to this request must carry, as name, value …; undefined where no other origin is let in. An origin that is not
 * listed gets `Vary` alone: a cache must not hand it the answer of another.
 */
export function corsHeaders(rules: CorsRules | undefined, ownOrigin: string, origin: string | undefined): readonly string[] | undefined {
  if (!rules || origin === ownOrigin) return undefined;
  if (origin === undefined || !rules.origins.includes(origin)) return ['Vary', 'Origin'];
  return [
    'Access-Control-Allow-Origin', origin,
    'Access-Control-Allow-Credentials', 'true',
    ...(rules.exposed.length > 0 ? ['Access-Control-Expose-Headers', rules.exposed.join(', ')] : []),
    'Vary', 'Origin',
  ];
}

/** A browser's question ahead of a request; it never carries a session. */
export function isPreflight({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

/** Why a preflight is refused, or undefined. `asked` are its headers. */
export function preflightFault(rules: CorsRules, asked: IncomingMessage['headers']): string | undefined {
  const method = asked['access-control-request-method'] ?? '';
  const headers = (asked['access-control-request-headers'] ?? '').split(',').map((name) => name.trim().toLowerCase()).filter(Boolean);
  if (!rules.origins.includes(asked.origin ?? '')) return 'This origin may not call this site.';
  if (!SIMPLE_METHODS.has(method) && !rules.methods.includes(method)) return 'This method is not let in from other origins.';
  return headers.every((name) => rules.headers.includes(name)) ? undefined : 'A header of this request is not let in from other origins.';
}

export function answerPreflight(rules: CorsRules, ownOrigin: string, req: IncomingMessage, res: ServerResponse, requestId: string): void {
  const fault = preflightFault(rules, req.headers);
  const always = [...(fault === undefined ? (corsHeaders(rules, ownOrigin, req.headers.origin) ?? []) : ['Vary', 'Origin']), 'X-Request-Id', requestId];
  if (fault === undefined) {
    const allowed = ['Access-Control-Allow-Methods', [...SIMPLE_METHODS, ...rules.methods].join(', '), 'Access-Control-Allow-Headers', rules.headers.join(', '), 'Access-Control-Max-Age', String(rules.maxAgeSeconds)];
    return void res.writeHead(204, [...always, ...allowed]).end();
  }
  const body = JSON.stringify(toProblem(new AppError('forbidden', fault), requestId));
  return void res.writeHead(403, [...always, 'Cache-Control', 'no-store', 'Content-Type', 'application/problem+json', 'Content-Length', String(Buffer.byteLength(body))]).end(body);
}
