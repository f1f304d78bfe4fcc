import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { AppError } from '../../platform/problem.ts';

const TIME_LIMIT_MILLISECONDS = 5_000;
const LARGEST_ANSWER_BYTES = 16 * 1024;

/** Reads what a host serves at a path of its own. Throws `invalid_request` in words for whoever runs that host. */
export type FetchChallenge = (hostname: string, path: string) => Promise<unknown>;

class PrivateAddress extends Error {}

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
    // Literal addresses are not looked up.
    const literal = new URL(address).hostname.replace(/^\[|\]$/g, '');
    if (isIP(literal) !== 0 && !mayDial(literal)) throw refused('The hostname does not lead to a public address.');
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

function lookingAtAddresses(mayDial: (address: string) => boolean): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '', 0);
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => mayDial(address))) return done(new PrivateAddress(hostname), '', 0);
      return options.all ? done(null, addresses) : done(null, first.address, first.family);
    });
  };
}

const PRIVATE = new BlockList();
// IANA special-purpose registries: this network, private, shared, loopback, link-local, protocol, documentation, 6to4 relay, benchmarks, multicast, reserved.
for (const range of ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4']) {
  const [network = '', prefix] = range.split('/');
  PRIVATE.addSubnet(network, Number(prefix), 'ipv4');
}
const GLOBAL_IPV6 = new BlockList();
GLOBAL_IPV6.addSubnet('2000::', 3, 'ipv6');
// Inside of it: addresses that carry an IPv4 address or name nobody.
const SPECIAL_IPV6 = new BlockList();
for (const range of ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']) {
  const [network = '', prefix] = range.split('/');
  SPECIAL_IPV6.addSubnet(network, Number(prefix), 'ipv6');
}

export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !PRIVATE.check(address, 'ipv4');
  return isIP(address) === 6 && GLOBAL_IPV6.check(address, 'ipv6') && !SPECIAL_IPV6.check(address, 'ipv6');
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

function refused(detail: string, cause?: unknown): AppError {
  return new AppError('invalid_request', detail, { cause });
}
