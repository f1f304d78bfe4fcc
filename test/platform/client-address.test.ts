import { describe, expect, test } from '@jest/globals';
import { clientAddress, ranges } from '../../platform/client-address.ts';

describe('the client address (SECURITY.md 11)', () => {
  const trusted = ranges.parse('10.0.0.0/8, 2001:db8:ffff::/48, 127.0.0.1');
  test.each([
    ['a stranger', '192.0.2.1', '198.51.100.1', false, '192.0.2.1'],
    ['a believed stranger', '192.0.2.1', '198.51.100.1', true, '198.51.100.1'],
    ['a trusted proxy', '10.1.2.3', '198.51.100.1', false, '198.51.100.1'],
    ['a trusted proxy without the header', '10.1.2.3', undefined, false, '10.1.2.3'],
    ['a forged start of the list', '10.1.2.3', '203.0.113.9, 198.51.100.1', false, '198.51.100.1'],
    ['two trusted proxies', '10.1.2.3', '198.51.100.1, 10.9.9.9', false, '198.51.100.1'],
    ['nothing but trusted proxies', '10.0.0.1', '10.0.0.3, 10.0.0.2', false, '10.0.0.3'],
    ['nonsense at its end', '10.1.2.3', '198.51.100.1, unknown', false, '10.1.2.3'],
    ['nonsense before a trusted proxy', '10.0.0.1', '1.1.1.1, nonsense, 10.0.0.2', false, '10.0.0.2'],
    ['an IPv4 address in IPv6 clothes', '::ffff:10.1.2.3', '::ffff:198.51.100.1', false, '198.51.100.1'],
    ['a trusted range of IPv6', '2001:db8:ffff::1', '2001:db8:1::9', false, '2001:db8:1::9'],
  ])('behind %s', (_name, remoteAddress, said, believed, client) => {
    const headers = said === undefined ? {} : { 'x-forwarded-for': said };
    expect(clientAddress({ socket: { remoteAddress }, headers }, trusted, believed)).toBe(client);
  });

  test.each(['10.0.0.0/8', '10.0.0.0', '::1/128', ''])('%j is a list of ranges', (value) => {
    expect(ranges.safeParse(value).success).toBe(true);
  });

  test.each(['10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/8/8', 'everybody', '::1/129'])('%j is none', (value) => {
    expect(ranges.safeParse(value).success).toBe(false);
  });
});
