import { isIP, type BlockList } from 'node:net';

/** Who asks: the socket's address, or what X-Forwarded-For says as long as whoever said it is a trusted proxy (read from the right). */
export function clientAddress(
  request: { socket: { remoteAddress?: string | undefined }; headers: Readonly<Record<string, string | string[] | undefined>> },
  trustedProxies: BlockList,
): string {
  let address = plain(request.socket.remoteAddress ?? '');
  const hops = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',').map((hop) => hop.trim()).filter(Boolean);
  for (const hop of hops.toReversed()) {
    if (!isTrusted(address, trustedProxies)) break;
    const next = plain(hop);
    if (isIP(next) === 0) break;
    address = next;
  }
  return address;
}

function isTrusted(address: string, trustedProxies: BlockList): boolean {
  const version = isIP(address);
  return version !== 0 && trustedProxies.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

/** An IPv4 peer of an IPv6 socket is `::ffff:192.0.2.1`. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
