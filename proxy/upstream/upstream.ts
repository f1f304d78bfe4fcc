import type { IncomingMessage, ServerResponse } from 'node:http';
import { errors, Pool, type Dispatcher } from 'undici';
import { AppError } from '../../platform/problem.ts';
import type { Identity } from '../provider/provider.ts';
import { headersForApp, headersFromApp, type Passage } from './headers.ts';

const CONNECT_LIMIT_MILLISECONDS = 5_000;
const FIRST_BYTE_LIMIT_MILLISECONDS = 60_000;
/** Between two pieces of an answer; long, for event streams that rest. */
const REST_LIMIT_MILLISECONDS = 10 * 60_000;

export interface Upstream {
  /** Streams the request to the app and its answer back. An error comes out only while nothing was answered yet. */
  pass(req: IncomingMessage, res: ServerResponse, identity: Identity, passage: Passage): Promise<AppError | undefined>;
  close(): Promise<void>;
}

export function createUpstream(appUrl: string, limits: { firstByteMilliseconds?: number } = {}): Upstream {
  const pool = new Pool(appUrl, {
    connections: 256,
    connect: { timeout: CONNECT_LIMIT_MILLISECONDS },
    headersTimeout: limits.firstByteMilliseconds ?? FIRST_BYTE_LIMIT_MILLISECONDS,
    bodyTimeout: REST_LIMIT_MILLISECONDS,
  });
  return {
    pass: (req, res, identity, passage) =>
      new Promise((settle) => {
        const options: Dispatcher.DispatchOptions = {
          method: req.method ?? 'GET',
          path: req.url ?? '/',
          headers: headersForApp(req.rawHeaders, identity, passage),
          body: hasBody(req) ? req : null,
        };
        try {
          pool.dispatch(options, answerTo(res, passage, settle));
        } catch (error) {
          settle(new AppError('invalid_request', 'The request could not be passed on.', { cause: error }));
        }
      }),
    close: () => pool.close(),
  };
}

function answerTo(res: ServerResponse, passage: Passage, settle: (error?: AppError) => void): Dispatcher.DispatchHandler {
  let onClose: (() => void) | undefined;
  return {
    onRequestStart: (controller) => {
      onClose = () => {
        if (!res.writableFinished) controller.abort(new Error('the client went away'));
        settle();
      };
      if (res.destroyed) onClose();
      else res.once('close', onClose);
    },
    onResponseStart: (controller, status, _headers, statusMessage) => {
      if (status < 200) return;
      passage.onAnswer?.();
      res.writeHead(status, statusMessage ?? '', [...headersFromApp(rawPairs(controller.rawHeaders)), 'X-Request-Id', passage.requestId]);
      res.on('drain', () => controller.resume());
    },
    onResponseData: (controller, chunk) => {
      if (!res.write(chunk)) controller.pause();
    },
    onResponseEnd: () => {
      res.end();
    },
    onResponseError: (_controller, error) => {
      if (res.headersSent) res.destroy();
      else if (!res.destroyed) {
        if (onClose) res.off('close', onClose);
        settle(upstreamError(error));
      } else settle();
    },
  };
}

function upstreamError(error: Error): AppError {
  if (error instanceof errors.HeadersTimeoutError) return new AppError('gateway_timeout', 'Try again in a minute.', { cause: error });
  return new AppError('bad_gateway', 'Try again in a minute.', { cause: error });
}

function hasBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}

function rawPairs(raw: unknown): string[] {
  return Array.isArray(raw) ? raw.map((part: Buffer | string) => (typeof part === 'string' ? part : part.toString('latin1'))) : [];
}
