import { BlockList, isIP } from 'node:net';
import type { IncomingMessage } from 'node:http';
import { list } from './config.ts';

/** Looking an address up costs more than everything else about it. */
const MOST_REMEMBERED = 1_000;
const remembered = new WeakMap<BlockList, Map<string, boolean>>();

const LONGEST_PREFIX = { ipv4: 32, ipv6: 128 } as const;

/** Addresses and CIDR ranges, separated by commas. */
export const ranges = list
  .refine((items) => items.every((item) => rangeOf(item) !== undefined), 'must be addresses or CIDR ranges, separated by commas')
  .transform((items) => {
    const block = new BlockList();
    for (const range of items.map(rangeOf)) if (range) block.addSubnet(range.address, range.prefix, range.family);
    return block;
  });

/**
 * Who asks: the socket's address, or what `X-Forwarded-For` says, read from its end past trusted proxies. `believed`
 * tells that the peer has proven itself otherwise.
 */
export function clientAddress(request: Pick<IncomingMessage, 'headers'> & { socket: { remoteAddress?: string | undefined } }, trusted: BlockList, believed = false): string {
  const peer = plain(request.socket.remoteAddress ?? '');
  if (!believed && !isTrusted(peer, trusted)) return peer;
  const told = request.headers['x-forwarded-for'];
  if (told === undefined) return peer;
  const hops = [told].flat().join(',').split(',').map((hop) => plain(hop.trim()));
  let client = peer;
  for (const hop of hops.toReversed()) {
    if (isIP(hop) === 0) break;
    client = hop;
    if (!isTrusted(hop, trusted)) break;
  }
  return client;
}

function rangeOf(item: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', bits, ...rest] = item.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const prefix = bits === undefined ? LONGEST_PREFIX[family] : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  return prefix <= LONGEST_PREFIX[family] ? { address, prefix, family } : undefined;
}

/** Whether the peer at the other end of the socket is one of the configured proxies. */
export function isTrusted(peer: string | undefined, trusted: BlockList): boolean {
  const address = plain(peer ?? '');
  let known = remembered.get(trusted);
  if (!known) remembered.set(trusted, (known = new Map()));
  let answer = known.get(address);
  if (answer === undefined) {
    const version = isIP(address);
    answer = version !== 0 && trusted.check(address, version === 4 ? 'ipv4' : 'ipv6');
    if (known.size >= MOST_REMEMBERED) known.clear();
    known.set(address, answer);
  }
  return answer;
}

/** An IPv4 peer of an IPv6 socket is `::ffff:192.0.2.1`. */
function plain(address: string): string {
  return address.startsWith('::') ? address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '') : address;
}
