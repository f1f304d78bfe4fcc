import { describe, expect, test } from '@jest/globals';
import { LONGEST_NEXT_PAGE, nextPage } from '../../platform/next-page.ts';
import { loadProducts, type Products } from '../../platform/products.ts';

const PUBLIC = 'https://app.example';
const [first] = loadProducts('products.yaml');
const ELSEWHERE = 'https://docs.example';
const ORIGINS = [ELSEWHERE, 'https://[2001:db8::1]:8443'];
const PRODUCTS: Products = [first, { ...first, id: 'other', start_url: 'https://other.example/start' }];

describe('next_page', () => {
  test.each([
    ['/', '/'],
    ['/reports?a=1&b=//x', '/reports?a=1&b=//x'],
    ['/reports#part', '/reports#part'],
    ['/caf%C3%A9', '/caf%C3%A9'],
    ['/café', '/caf%C3%A9'],
    ['/apps/1?x=%zz', '/apps/1?x=%zz'],
    ['/staff/requests', '/staff/requests'],
    ['https://other.example/start', 'https://other.example/start'],
    ['https://docs.example', 'https://docs.example/'],
    ['https://docs.example/', 'https://docs.example/'],
    ['https://docs.example/guide?x=https://evil.example#part', 'https://docs.example/guide?x=https://evil.example#part'],
    ['https://[2001:db8::1]:8443/x', 'https://[2001:db8::1]:8443/x'],
    ['/@evil.example', '/@evil.example'],
    ['/:80/x', '/:80/x'],
    ['/[::1]/x', '/[::1]/x'],
    ['/?next=//evil.example', '/?next=//evil.example'],
    ['/x?a=\u0430', '/x?a=%D0%B0'],
    [`/${'a'.repeat(LONGEST_NEXT_PAGE - 1)}`, `/${'a'.repeat(LONGEST_NEXT_PAGE - 1)}`],
  ])('%j leads to %j, and so does what it leads to', (candidate, leadsTo) => {
    expect(nextPage(candidate, PUBLIC, PRODUCTS, ORIGINS)).toBe(leadsTo);
    expect(nextPage(leadsTo, PUBLIC, PRODUCTS, ORIGINS)).toBe(leadsTo);
  });

  test.each([
    '//evil.example', '///evil.example', '////evil.example', '/\\evil.example', '\\/evil.example', '\\\\evil.example', '/%5cevil.example', '/%5Cevil.example', '/%255cevil.example',
    '/%2fevil.example', '/%2Fevil.example', '/%252fevil.example', '/\t/evil.example', '/\n/evil.example', '/\r\n/evil.example', '\t//evil.example', ' //evil.example', ' /ok',
    '/\u0000/evil.example', '/\u00a0/evil', '/\u200b/evil', '/\u2028/evil', '/\u3000evil', '\ufeff//evil.example', '/a\u007f',
    'https:evil.example', 'https:/evil.example', 'https://evil.example', 'http://app.example/', 'https://app.example/', 'https://app.example@evil.example/', 'https://user:pw@app.example/',
    '/@evil.example/..//evil.example', '/..//evil.example', '/a/..//evil.example', '/./evil', '/.//evil.example', '/%2e%2e//evil.example', '/..;/x',
    'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'blob:https://app.example/x',
    'evil.example', './x', '../x', '?x', '#x', '', '.', '@evil.example',
    'https://other.example/start/', 'https://other.example/start?x', 'https://other.example/', 'https://other.example/start#x', 'https://other.example/startx', 'HTTPS://other.example/start',
    '/api/login', '/api/login?next_page=/api/login', '/api/logout', '/api', '/API/login', '/%61pi/login', '/api;x/login', '/api/callback?code=x',
    'https://docs.example.evil.example/', 'https://docs.example@evil.example/', 'https://docs.example:443/', 'https://docs.example:8443/', 'https://docs.example./', 'http://docs.example/', 'HTTPS://docs.example/',
    'https://docs.example\\@evil.example/', 'https://docs.example\t/', 'https://docs.example//evil.example', 'https://docs.example/\\evil.example', 'https://docs.example/%2fevil.example', 'https://docs.example/a/../b',
    'https://docs.example/api/login', 'https://docs.example?x', 'https://docs.example#x', 'https://docs.exampl\u0435/', 'https://xn--docs-example.evil.example/', 'https:///docs.example/', 'https:\\docs.example/', '//docs.example/',
    '//[::1]/', '//[::ffff:127.0.0.1]/x', '//0x7f000001/', '//2130706433/', '//xn--e1afmkfd.example/', '//пример.example/', '//ⓔvil.example/', '/\u2044/evil.example\\', '/%09/evil.example', '/%0d%0aLocation:%20https://evil.example', '/%00', '/%e2%80%8b/../x',
    '/a%2f..%2fb', '/a%252f..', '/a%5c..%5cb', '/%c0%af\\', '/.%2e/x', '/%2e/x', '/a/%2E%2E/x', '/a;x/..;y/b', '/a/.;/b', '/\u202e/evil', '/\ufeff', '/a b', '/a\u00ad\\b',
    'mailto:a@example.com', 'ftp://app.example/', 'ws://app.example/', 'about:blank', 'view-source:https://app.example/', 'intent://x#Intent;scheme=http;end', 'http:///evil.example', 'https:/\\evil.example', '/../\\evil.example',
    '/\ud800', `/${'a'.repeat(LONGEST_NEXT_PAGE)}`, `/${'é'.repeat(LONGEST_NEXT_PAGE / 2)}`, '/／evil.example\\',
  ])('%j is ignored', (candidate) => {
    expect(nextPage(candidate, PUBLIC, PRODUCTS, ORIGINS)).toBeUndefined();
  });

  test('an origin that is not configured is ignored', () => {
    expect(nextPage(`${ELSEWHERE}/guide`, PUBLIC, PRODUCTS)).toBeUndefined();
  });

  test.each([[undefined], [null], [['/a', '/b']], [{ a: 1 }], [1]])('%j is no page', (candidate) => {
    expect(nextPage(candidate, PUBLIC, PRODUCTS)).toBeUndefined();
  });

  test.each(['', ELSEWHERE])('whatever is accepted after %j stays on that origin', (start) => {
    const pieces = ['/', '\\', '//', '..', '.', '%2f', '%5c', '@', ':', 'evil.example', '?', '#', ';', '\t', 'é', '／', 'a'];
    const escaped: string[] = [];
    for (const one of pieces) for (const two of pieces) for (const three of pieces) for (const four of pieces) {
      const accepted = nextPage(start + one + two + three + four, PUBLIC, PRODUCTS, ORIGINS);
      if (accepted !== undefined && (new URL(accepted, PUBLIC).origin !== (start || PUBLIC) || !/^\/(?![/\\])/.test(accepted.slice(start.length)))) escaped.push(accepted);
    }
    expect(escaped).toEqual([]);
  });
});
