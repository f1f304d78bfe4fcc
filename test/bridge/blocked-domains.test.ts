import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { blockedDomains } from '../../bridge/address/blocked-domains.ts';
import { ConfigError } from '../../platform/config.ts';
import { loadProducts, type Products } from '../../platform/products.ts';
import { openBridge } from './support/bridge.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'blocked-'));
const [first] = loadProducts('products.yaml');

function listed(text: string, blocked_domains: string[] = []): Products {
  const file = join(FOLDER, `${Math.random().toString(36).slice(2)}.txt`);
  writeFileSync(file, text);
  return [{ ...first, blocked_domains, blocked_domains_file: file }, { ...first, id: 'other' }];
}

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('a file of blocked domains', () => {
  const products = listed('# Throw-away addresses\r\nthrowaway.example\r\n\r\n  BÜCHER.example   # with an accent\nmail.partly.example\n', ['listed.example']);
  const isBlocked = blockedDomains(products);

  test.each([
    ['a domain', 'ada@throwaway.example', true],
    ['a domain below it', 'ada@a.b.throwaway.example', true],
    ['a domain that only ends like it', 'ada@notthrowaway.example', false],
    ['the domain above', 'ada@partly.example', false],
    ['an accent, as IDNA', 'ada@xn--bcher-kva.example', true],
    ['a domain of the products file', 'ada@listed.example', true],
    ['another one', 'ada@example.com', false],
  ])('%s: %s is blocked: %s', (_name, address, expected) => {
    expect(isBlocked(products[0], address)).toBe(expected);
  });

  test('is of its product only', () => {
    expect(isBlocked(products[1]!, 'ada@throwaway.example')).toBe(false);
  });

  test('with lines that are no domains stops the start, which names each line', () => {
    const fault = faultOf(() => blockedDomains(listed('good.example\n*.bad.example\n# fine\nada@bad.example\n')));
    expect(fault).toMatch(/^The file of blocked domains \/.*\.txt is not usable/);
    expect(fault).toContain('line 2: "*.bad.example" must be a domain');
    expect(fault).toContain('line 4: "ada@bad.example" must be a domain');
  });

  test('that is of another kind altogether is told in a screenful', () => {
    const fault = faultOf(() => blockedDomains(listed('{"a": "b c"}\n'.repeat(500))));
    expect(fault.split('\n').length).toBeLessThan(25);
    expect(fault).toContain('and 480 more');
  });

  test('that is not there is named with its product', () => {
    expect(faultOf(() => blockedDomains([{ ...first, blocked_domains_file: '/nowhere/list.txt' }]))).toMatch(/product app.*\n {2}\/nowhere\/list\.txt: there is no such file/);
  });
});

test('whose address is in the file hears 202 like everybody, and gets no mail', async () => {
  const bridge = await openBridge({ products: listed('throwaway.example\n') });
  try {
    const [blocked, open] = [await bridge.send('/api/trial/register', { body: { username: 'ada@throwaway.example' } }), await bridge.send('/api/trial/register', { body: { username: 'ada@example.com' } })];
    expect([blocked.status, blocked.body]).toEqual([202, open.body]);
    await bridge.settled();
    expect(bridge.inbox.messages().map(({ to }) => to)).toEqual(['ada@example.com']);
  } finally {
    await bridge.close();
  }
});
