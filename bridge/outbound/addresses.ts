import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Whether an address, as the name service gives it, may be dialled. */
export type MayDial = (address: string) => boolean;

/** A name or a literal leads where nobody of ours shall call. */
export class PrivateAddress extends Error {}

/** For the agent that dials: each address that the name has is looked at when it is dialled, so that it can't change in between. */
export function lookingAtAddresses(mayDial: MayDial): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '', 0);
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => mayDial(address))) return done(new PrivateAddress(hostname), '', 0);
      return options.all ? done(null, addresses) : done(null, first.address, first.family);
    });
  };
}

/** Literal addresses are not looked up. */
export function isRefusedLiteral(url: string, mayDial: MayDial): boolean {
  const literal = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return isIP(literal) !== 0 && !mayDial(literal);
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

export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
