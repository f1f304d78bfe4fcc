import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { errors, Pool } from 'undici';
import { AppError } from '../../platform/problem.ts';
import type { Identity } from '../provider/provider.ts';
import { answerTo } from './answer.ts';
import { awaitsContinue } from './expectation.ts';
import { headersForApp, type Passage } from './headers.ts';
import { USUAL_LIMITS, type UpstreamLimits } from './limits.ts';
import { createRoom } from './room.ts';

/** They change nothing, so that a second try does no harm (RFC 9110 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export interface Upstream {
  /** Streams the request to the app and its answer back; `settle` hears when that is over, of an error only while nothing was answered yet. */
  pass(req: IncomingMessage, res: ServerResponse, identity: Identity, passage: Passage, settle: (error?: AppError) => void): void;
  close(): Promise<void>;
}

export function createUpstream(appUrl: string, limits: UpstreamLimits = USUAL_LIMITS): Upstream {
  const pool = new Pool(appUrl, {
    connections: limits.connections,
    connect: { timeout: limits.connectMilliseconds },
    // One request, one connection: with HTTP/2 undici lets all wait, unwatched, until the first has found out what the app speaks.
    allowH2: false,
    headersTimeout: limits.answerMilliseconds,
    bodyTimeout: limits.idleMilliseconds,
  });
  const room = createRoom(limits.connections, limits.connectMilliseconds);
  const servername = serverNameOf(new URL(appUrl));
  return {
    pass: (req, res, identity, passage, settle) => {
      const body = hasBody(req);
      if (body === 'unknown') return settle(new AppError('invalid_request', 'Send the body chunked, or with its length: no other transfer coding is understood.'));
      const method = req.method ?? 'GET';
      const options = { method, path: req.url ?? '/', headers: headersForApp(req.rawHeaders, identity, passage), body: body ? req : null, ...servername };
      const onStart = awaitsContinue(req) ? (): void => res.writeContinue() : undefined;
      let isOver = false;
      // What is aborted ends twice: for the client, and for the app.
      const over = (error?: AppError): void => {
        if (isOver) return;
        isOver = true;
        room.leave();
        settle(error);
      };
      const done = (): void => over();
      const dispatch = (mayTryAgain: boolean): void => {
        const failed = (error: Error): void => {
          if (mayTryAgain && wasClosedMeanwhile(error)) dispatch(false);
          else over(upstreamError(error));
        };
        try {
          pool.dispatch(options, answerTo(res, { passage, onStart, wholeMilliseconds: limits.wholeMilliseconds, done, failed }));
        } catch (error) {
          over(new AppError('invalid_request', 'The request could not be passed on.', { cause: error }));
        }
      };
      return room.enter(res, { begin: () => dispatch(!body && SAFE.has(method)), full: () => settle(full(appUrl, limits)), gone: () => settle() });
    },
    close: () => pool.close(),
  };
}

function full(appUrl: string, { connections, connectMilliseconds }: UpstreamLimits): AppError {
  const cause = new Error(`All ${connections} connections to ${appUrl} were in use for ${connectMilliseconds / 1000} s: give it more by "connections" (APP_CONNECTIONS), or see why its answers take so long.`);
  return new AppError('unavailable', 'Try again in a minute.', { cause });
}

/** Said, or undici reads it out of each request's `Host`, which is the site's and not the app's. TLS takes no address for a name. */
function serverNameOf({ protocol, hostname }: URL): { servername?: string } {
  return protocol === 'https:' && isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 ? {} : { servername: hostname };
}

/** An app closes a connection that rests just as we use it again: no answer begins on it. */
function wasClosedMeanwhile(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

function upstreamError(error: Error): AppError {
  if (error instanceof AppError) return error;
  const tookTooLong = error instanceof errors.HeadersTimeoutError || error instanceof errors.ConnectTimeoutError;
  return new AppError(tookTooLong ? 'gateway_timeout' : 'bad_gateway', 'Try again in a minute.', { cause: error });
}

function hasBody({ headers }: IncomingMessage): boolean | 'unknown' {
  const coding = headers['transfer-encoding'];
  if (coding === undefined) return Number(headers['content-length'] ?? 0) > 0;
  return coding.toLowerCase() === 'chunked' || 'unknown';
}
