import { describe, expect, test } from '@jest/globals';
import { canonicalAddress, mailboxOf } from '../../bridge/address/address.ts';
import { limitKey } from '../../platform/limit-key.ts';

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

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:0:1:aaaa::1', '2001:db8:0:1::/64'],
  ['2001:db8:0:1::', '2001:db8:0:1::/64'],
  ['2001:0DB8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s counts as %s (SECURITY.md 11)', (address, key) => {
  expect(limitKey(address)).toBe(key);
});
