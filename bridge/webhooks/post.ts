import { Webhook } from 'standardwebhooks';
import { Agent, request } from 'undici';
import { isPublic, isRefusedLiteral, lookingAtAddresses, PrivateAddress, type MayDial } from '../outbound/addresses.ts';
import type { Endpoint } from './endpoints.ts';

const LARGEST_ANSWER_BYTES = 16 * 1024;
const LONGEST_RETRY_AFTER_SECONDS = 6 * 3600;

export interface Message {
  /** Of the message, not of the try. */
  id: string;
  body: string;
}

/** `failure` is ours, never words of the app: it is logged and shown to staff. */
export type Posted = { delivered: true } | { delivered: false; failure: string; retryAfterSeconds: number | undefined };

export interface Post {
  (endpoint: Endpoint, message: Message): Promise<Posted>;
  close(): Promise<void>;
}

/**
 * Signs and sends one message (Standard Webhooks 1.0). Each address that the name has is looked at when it is dialled, so that
 * it can't change in between; no redirects, one time limit for everything, a small answer (SECURITY.md 27). In development any
 * address goes, and plain http.
 */
export function webhookPost({ anyAddress, timeLimitMilliseconds }: { anyAddress: boolean; timeLimitMilliseconds: number }): Post {
  const mayDial: MayDial = anyAddress ? () => true : isPublic;
  const agent = new Agent({
    connect: { lookup: lookingAtAddresses(mayDial), timeout: timeLimitMilliseconds },
    maxResponseSize: LARGEST_ANSWER_BYTES,
    headersTimeout: timeLimitMilliseconds,
    bodyTimeout: timeLimitMilliseconds,
  });
  const post = async ({ url, secrets }: Endpoint, { id, body }: Message): Promise<Posted> => {
    if (isRefusedLiteral(url, mayDial)) return failed('private_address');
    const at = new Date();
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Vestibule',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': secrets.map((one) => new Webhook(one.reveal()).sign(id, at, body)).join(' '),
    };
    try {
      const answer = await request(url, { method: 'POST', headers, body, dispatcher: agent, signal: AbortSignal.timeout(timeLimitMilliseconds) });
      await answer.body.text();
      if (answer.statusCode >= 200 && answer.statusCode < 300) return { delivered: true };
      return failed(answer.statusCode < 400 ? 'redirected' : `answered_${answer.statusCode}`, retryAfter(answer.headers['retry-after']));
    } catch (error) {
      return failed(inAWord(error));
    }
  };
  return Object.assign(post, { close: () => agent.destroy() });
}

function failed(failure: string, retryAfterSeconds?: number): Posted {
  return { delivered: false, failure, retryAfterSeconds };
}

function retryAfter(header: string | string[] | undefined): number | undefined {
  const seconds = Number(header);
  return Number.isInteger(seconds) && seconds > 0 ? Math.min(seconds, LONGEST_RETRY_AFTER_SECONDS) : undefined;
}

/** A failure as it is logged, and shown to staff and operators. */
export function inAWord(error: unknown): string {
  if (error instanceof PrivateAddress) return 'private_address';
  const { name, code = '' } = error as { name?: string; code?: string };
  if (name === 'TimeoutError' || code.includes('TIMEOUT')) return 'too_slow';
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return 'answer_too_large';
  if (/CERT|SSL|TLS|VERIFY/.test(code)) return 'certificate_refused';
  return 'no_connection';
}
