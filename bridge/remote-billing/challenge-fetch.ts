import { Agent, request } from 'undici';
import { AppError } from '../../platform/problem.ts';
import { isLoopback, isPublic, isRefusedLiteral, lookingAtAddresses, PrivateAddress } from '../outbound/addresses.ts';

const TIME_LIMIT_MILLISECONDS = 5_000;
const LARGEST_ANSWER_BYTES = 16 * 1024;

/** Reads what a host serves at a path of its own. Throws `invalid_request` in words for whoever runs that host. */
export type FetchChallenge = (hostname: string, path: string) => Promise<unknown>;

/**
 * Over https, to public addresses only: each address that the name has is looked at when it is dialled, so that it can't
 * change in between. No redirects. `loopback` (tests, the development stack): plain http, to loopback addresses only.
 */
export function challengeFetch(options: { loopback: boolean }): FetchChallenge {
  const mayDial = options.loopback ? isLoopback : isPublic;
  const agent = new Agent({
    connect: { lookup: lookingAtAddresses(mayDial), timeout: TIME_LIMIT_MILLISECONDS },
    maxResponseSize: LARGEST_ANSWER_BYTES,
    headersTimeout: TIME_LIMIT_MILLISECONDS,
    bodyTimeout: TIME_LIMIT_MILLISECONDS,
  });
  return async (hostname, path) => {
    const address = `${options.loopback ? 'http' : 'https'}://${hostname}`;
    if (isRefusedLiteral(address, mayDial)) throw refused('The hostname does not lead to a public address.');
    try {
      const { statusCode, body } = await request(`${address}${path}`, { dispatcher: agent, signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
      const answer: unknown = JSON.parse(await body.text());
      if (statusCode === 200) return answer;
      const notPrepared = (answer as { code?: unknown } | null)?.code === 'REMOTE_SERVER_VERIFICATION_SECRET_NOT_PREPARED';
      throw refused(notPrepared ? 'The host reported it has no verification secret.' : `Error response received from the host: ${statusCode}`);
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw refused(inWords(error), error);
    }
  };
}

function inWords(error: unknown): string {
  if (error instanceof PrivateAddress) return 'The hostname does not lead to a public address.';
  if (error instanceof SyntaxError) return 'The answer of the host is not JSON.';
  const { name, code } = error as { name?: string; code?: string };
  if (name === 'TimeoutError' || code?.includes('TIMEOUT')) return 'The request timed out while communicating with the host.';
  if (code?.includes('CERT') || code?.includes('SSL') || code?.includes('TLS')) return 'SSL error occurred while communicating with the host.';
  return 'Connection error occurred while communicating with the host.';
}

function refused(detail: string, cause?: unknown): AppError {
  return new AppError('invalid_request', detail, { cause });
}
