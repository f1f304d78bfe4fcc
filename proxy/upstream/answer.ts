import type { ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { AppError } from '../../platform/problem.ts';
import { headersFromApp, trailersThatPass, type Passage } from './headers.ts';
import { closeAfterAnswer } from './unread-upload.ts';

const EARLY_HINTS = 103;

interface Answering {
  passage: Passage;
  /** The app is there, and about to get the request. */
  onStart: (() => void) | undefined;
  wholeMilliseconds: number | undefined;
  done: () => void;
  /** Nothing was answered yet. */
  failed: (error: Error) => void;
}

/** Streams what the app answers, as it comes. */
export function answerTo(res: ServerResponse, { passage, onStart, wholeMilliseconds, done, failed }: Answering): Dispatcher.DispatchHandler {
  let onClose: (() => void) | undefined;
  let limit: NodeJS.Timeout | undefined;
  let bodyBegan = false;
  /** Whether the browser was slower than the app: most answers never need to listen for it. */
  let heldBack = false;
  /** Bytes of the body that are still to come; NaN where nobody knows. */
  let left = Number.NaN;
  const flushIfResting = (): void => {
    if (!bodyBegan && !res.destroyed) res.flushHeaders();
  };
  return {
    onRequestStart: (controller) => {
      onClose = () => {
        clearTimeout(limit);
        if (!res.writableFinished) controller.abort(new Error('the client went away'));
        done();
      };
      if (res.destroyed) return onClose();
      res.on('close', onClose);
      if (wholeMilliseconds !== undefined) limit = setTimeout(() => controller.abort(new AppError('gateway_timeout', 'Try again in a minute.')), wholeMilliseconds);
      onStart?.();
    },
    onResponseStart: (controller, status, headers, statusMessage) => {
      if (status < 200) return passHint(res, status, headers);
      if (!res.req.complete) closeAfterAnswer(res);
      passage.onAnswer?.(headers['content-length'] !== undefined);
      const sent = headersFromApp(texts(controller.rawHeaders), passage);
      left = Number(headers['content-length']);
      // An answer without a length may rest after its headers, as event streams do: the browser hears that it began.
      if (headers['content-length'] === undefined) {
        const announced = res.req.method === 'HEAD' ? undefined : headers['trailer'];
        if (announced !== undefined && mayBeChunked(res, status)) sent.push('Trailer', String(announced));
        process.nextTick(flushIfResting);
      }
      res.writeHead(status, statusMessage ?? '', sent);
    },
    onResponseData: (controller, chunk) => {
      bodyBegan = true;
      left -= chunk.length;
      // Its last piece ends it: one write less.
      if (left === 0) res.end(chunk);
      else if (!res.write(chunk)) {
        controller.pause();
        if (!heldBack) res.on('drain', () => controller.resume());
        heldBack = true;
      }
    },
    onResponseEnd: (controller) => {
      bodyBegan = true;
      const trailers = trailersThatPass(texts(controller.rawTrailers), passage.public.identityHeaders);
      if (trailers.length > 0) res.addTrailers(paired(trailers));
      if (!res.writableEnded) res.end();
    },
    onResponseError: (_controller, error) => {
      clearTimeout(limit);
      if (res.headersSent) res.destroy();
      else if (res.destroyed) done();
      else {
        if (onClose) res.off('close', onClose);
        if (!res.req.complete) closeAfterAnswer(res);
        failed(error);
      }
    },
  };
}

/** RFC 8297. Of its headers only those that mean something before the answer; other interim answers say nothing to a browser. */
function passHint(res: ServerResponse, status: number, { link }: Readonly<Record<string, string | string[] | undefined>>): void {
  if (status !== EARLY_HINTS || link === undefined || res.req.httpVersionMinor !== 1) return;
  try {
    res.writeEarlyHints({ link });
  } catch {
    // A link that Node does not take: the answer itself is still to come.
  }
}

function mayBeChunked(res: ServerResponse, status: number): boolean {
  return res.req.httpVersionMinor === 1 && status !== 204 && status !== 304;
}

function paired(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : []));
}

const NONE: readonly string[] = [];

/** As undici has read them: bytes, by its own parser. */
function texts(raw: unknown): readonly string[] {
  if (!Array.isArray(raw) || raw.length === 0) return NONE;
  const read = raw as (Buffer | string)[];
  const decoded: string[] = [];
  for (let at = 0; at < read.length; at += 1) {
    const part = read[at] ?? '';
    decoded.push(typeof part === 'string' ? part : part.toString('latin1'));
  }
  return decoded;
}
