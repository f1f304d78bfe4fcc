import { describe, expect, test } from '@jest/globals';
import { canonicalAddress, mailboxOf } from '../../bridge/address/address.ts';
import { clientAddress, isCidr, limitKey, trustedRanges } from '../../bridge/http/client-address.ts';

describe('the canonical address (SECURITY.md 7)', () => {
  test.each([
    ['Ada@Example.COM', 'ada@example.com'],
    [' ada@example.com\n', 'ada@example.com'],
    ['a.d.a+tag@example.com', 'a.d.a+tag@example.com'],
    ["o'hara!#$%&*/=?^_`{|}~-@example.com", "o'hara!#$%&*/=?^_`{|}~-@example.com"],
    ['ada@exämple.com', 'ada@xn--exmple-cua.com'],
    ['ada@exa\u0308mple.com', 'ada@xn--exmple-cua.com'],
    ['ada@straße.de', 'ada@xn--strae-oqa.de'],
    ['ada@ｅxample。com', 'ada@example.com'],
    ['ada@XN--EXMPLE-CUA.com', 'ada@xn--exmple-cua.com'],
    [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
  ])('of %j is %j', (written, canonical) => {
    expect(canonicalAddress(written)).toBe(canonical);
    expect(canonicalAddress(canonical)).toBe(canonical);
  });

  test.each([
    'ada',
    '@example.com',
    'ada@',
    'ada@localhost',
    'ada@example',
    'ada@.com',
    'ada@example..com',
    'ada@example.com.',
    'ada@-example.com',
    'ada@exa_mple.com',
    'ada@127.0.0.1',
    'ada@[127.0.0.1]',
    'ada@1.2.3',
    'ada@ex%61mple.com',
    'ada@example.com:25',
    'ada@example.com/x',
    'ada@exa\u0000mple.com',
    '.ada@example.com',
    'ada.@example.com',
    'a..da@example.com',
    '"ada"@example.com',
    '"a@b"@example.com',
    'ada(comment)@example.com',
    'a da@example.com',
    'ada@example.com, eve@example.com',
    'ada@example.com\nBcc: eve@example.com',
    '<ada@example.com>',
    'äda@example.com',
    'аda@example.com',
    '\u212Aate@example.com',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(64)}.com`,
    `a@${`${'b'.repeat(60)}.`.repeat(4)}example.com`,
    'ada@xn--a.com',
  ])('of %j does not exist', (written) => {
    expect(canonicalAddress(written)).toBeUndefined();
  });

  test('of a mailbox is without the plus tag', () => {
    expect(['ada+a@example.com', 'ada+a+b@example.com', 'ada@example.com', '+ada@example.com'].map(mailboxOf)).toEqual([
      'ada@example.com',
      'ada@example.com',
      'ada@example.com',
      '+ada@example.com',
    ]);
  });
});

describe('the client address', () => {
  const trusted = trustedRanges(['10.0.0.0/8', '2001:db8:ffff::/48', '127.0.0.1']);
  test.each([
    ['a stranger', '192.0.2.1', '198.51.100.1', false, '192.0.2.1'],
    ['a believed stranger', '192.0.2.1', '198.51.100.1', true, '198.51.100.1'],
    ['a trusted proxy', '10.1.2.3', '198.51.100.1', false, '198.51.100.1'],
    ['a trusted proxy without the header', '10.1.2.3', undefined, false, '10.1.2.3'],
    ['a forged start of the list', '10.1.2.3', '203.0.113.9, 198.51.100.1', false, '198.51.100.1'],
    ['two trusted proxies', '10.1.2.3', '198.51.100.1, 10.9.9.9', false, '198.51.100.1'],
    ['nonsense at its end', '10.1.2.3', '198.51.100.1, unknown', false, '10.1.2.3'],
    ['an IPv4 address in IPv6 clothes', '::ffff:10.1.2.3', '::ffff:198.51.100.1', false, '198.51.100.1'],
  ])('behind %s', (_name, peer, forwardedFor, believed, client) => {
    expect(clientAddress(peer, forwardedFor, trusted, believed)).toBe(client);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1:aaaa::1', '2001:db8:0:1::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['2001:0DB8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s counts as %s', (address, key) => {
    expect(limitKey(address)).toBe(key);
  });

  test.each([
    ['10.0.0.0/8', true],
    ['10.0.0.0', true],
    ['::1/128', true],
    ['10.0.0.0/33', false],
    ['10.0.0.0/x', false],
    ['everybody', false],
  ])('%s as a range: %s', (range, valid) => {
    expect(isCidr(range)).toBe(valid);
  });
});
