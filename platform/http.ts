import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { AppError, toProblem, type ProblemCode } from './problem.ts';
import { plainLines, type Log } from './log.ts';
import { REQUEST_ID_HEADER, requestIdFrom } from './request-id.ts';

const STOP_LIMIT_MILLISECONDS = 10_000;
const SWEEP_EVERY_MILLISECONDS = 50;

/**
 * Gives every request its id and a log that carries it; writes one line per answer. The query is never logged: it may hold a token.
 * `loggedPath` is asked when the answer is out, where a path may hold one, too.
 */
export function requestContext(log: Log, loggedPath: (req: Request) => string | undefined = pathAsked): RequestHandler {
  const line = plainLines(log, 'request', ['request_id', 'method', 'path', 'status', 'duration_ms', 'aborted']);
  return (req, res, next) => {
    const started = performance.now();
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    res.locals['requestId'] = requestId;
    res.locals['log'] = log;
    res.setHeader('X-Request-Id', requestId);
    res.once('close', () => {
      const duration_ms = Math.round((performance.now() - started) * 10) / 10;
      line([requestId, req.method, loggedPath(req), res.statusCode, duration_ms, !res.writableFinished]);
    });
    next();
  };
}

function pathAsked(req: Request): string | undefined {
  return req.originalUrl.split('?', 1)[0];
}

export function requestIdOf(res: Response): string {
  return String(res.locals['requestId'] ?? requestIdFrom(undefined));
}

export function logOf(res: Response): Log {
  // Where no context was given there is none.
  return (res.locals['log'] as Log | undefined)?.child({ request_id: requestIdOf(res) }) as Log;
}

/** The last handler but one: an address that nobody took. */
export const nothingHere: RequestHandler = () => {
  throw new AppError('not_found', 'Check the address.');
};

/** The last handler: every error leaves as problem+json. Unexpected ones are logged whole and shown as `internal_error`. */
export const sendProblem: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (res.headersSent) return next(error);
  const known = asAppError(error);
  const problem = toProblem(known, requestIdOf(res));
  res.locals['problem'] = problem.code;
  if (problem.status >= 500) logOf(res)?.error({ err: error }, problem.code);
  if (known instanceof AppError && known.retryAfterSeconds !== undefined) res.setHeader('Retry-After', String(known.retryAfterSeconds));
  if (problem.status === 401 && !res.hasHeader('WWW-Authenticate')) res.setHeader('WWW-Authenticate', 'Bearer');
  return res.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
};

/** The code of the problem that this request was answered with. */
export function problemOf(res: Response): ProblemCode | undefined {
  return res.locals['problem'] as ProblemCode | undefined;
}

/** What Express and its body parsers throw, in our words. */
export function asAppError(error: unknown): unknown {
  if (error instanceof AppError || typeof error !== 'object' || error === null) return error;
  const { status, type } = error as { status?: unknown; type?: unknown };
  if (status === 413) return new AppError('payload_too_large', 'Send less.', { cause: error });
  if (status === 415) return new AppError('unsupported_media_type', 'Send the body in UTF-8, without content encoding.', { cause: error });
  if (type === 'entity.parse.failed') return new AppError('invalid_request', 'The body is not valid JSON.', { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500) return new AppError('invalid_request', 'The request could not be read.', { cause: error });
  return error;
}

type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface RunningServer {
  server: Server;
  port: number;
  /** From now on each answer is the last on its connection; connections are still taken. */
  drain(): void;
  /** Stops listening, lets requests under way finish, then cuts what is left after that time (10 s). */
  stop(limitMilliseconds?: number): Promise<void>;
}

export interface Edge {
  /** Takes upgrades to web-sockets; other upgrades are ordinary requests. */
  onWebSocket?: UpgradeListener;
  /** Upgrades to web-sockets that are ordinary requests all the same. */
  isAskedAbout?: (req: IncomingMessage) => boolean;
  /** The listener itself says 100 to who holds a body back until then (RFC 9110 10.1.1), or refuses before it is sent. */
  saysContinue?: boolean;
  limits?: ServerLimits;
  /** Of `node:http`. */
  options?: ServerOptions;
}

/** Of connections to us, in milliseconds. */
export interface ServerLimits {
  /** A connection that rests between requests: longer than whoever is in front keeps it, so that it is never ours to close first. */
  keepAlive: number;
  /** A connection on which nothing moves while a request or its answer is under way. */
  idle: number;
}

export async function startServer(listener: RequestListener, address: { host: string; port: number }, { onWebSocket, isAskedAbout = () => false, saysContinue = false, limits, options = {} }: Edge = {}): Promise<RunningServer> {
  let draining = false;
  const onRequest: RequestListener = (req, res) => {
    if (draining) res.shouldKeepAlive = false;
    listener(req, res);
  };
  const shouldUpgradeCallback = (req: IncomingMessage): boolean => onWebSocket !== undefined && req.headers.upgrade?.toLowerCase() === 'websocket' && !isAskedAbout(req);
  const server = createServer({ ...options, shouldUpgradeCallback } as ServerOptions, onRequest);
  /** The server itself knows them no longer, and waits for them all the same. */
  const upgraded = new Set<Duplex>();
  if (onWebSocket) {
    server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
      upgraded.add(socket);
      socket.once('close', () => upgraded.delete(socket));
      onWebSocket(req, socket, head);
    });
  }
  if (saysContinue) server.on('checkContinue', onRequest);
  if (limits) {
    server.keepAliveTimeout = limits.keepAlive;
    server.timeout = limits.idle;
    // However long an upload takes, while something of it comes.
    server.requestTimeout = 0;
  }
  server.listen(address.port, address.host);
  await once(server, 'listening');
  return {
    server,
    port: (server.address() as AddressInfo).port,
    drain: () => {
      draining = true;
    },
    stop: async (limitMilliseconds = STOP_LIMIT_MILLISECONDS) => {
      draining = true;
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      // An answer that was under way may have promised to keep its connection.
      const sweeping = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MILLISECONDS);
      const cut = setTimeout(() => {
        server.closeAllConnections();
        for (const socket of upgraded) socket.destroy();
      }, limitMilliseconds);
      await closed;
      clearInterval(sweeping);
      clearTimeout(cut);
    },
  };
}

/** Runs `stop` once at SIGTERM or SIGINT, then exits; exits with 1 when it fails or takes 10 s longer than it may. */
export function stopOnSignal(log: Log, stop: () => Promise<void>, limitMilliseconds = STOP_LIMIT_MILLISECONDS): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), limitMilliseconds + STOP_LIMIT_MILLISECONDS).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
