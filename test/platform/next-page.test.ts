import { describe, expect, test } from '@jest/globals';
import { LONGEST_NEXT_PAGE, nextPage } from '../../platform/next-page.ts';
import { loadProducts, type Products } from '../../platform/products.ts';

const PUBLIC = 'https://app.example';
const [first] = loadProducts('products.yaml');
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
    [`/${'a'.repeat(LONGEST_NEXT_PAGE - 1)}`, `/${'a'.repeat(LONGEST_NEXT_PAGE - 1)}`],
  ])('%j leads to %j, and so does what it leads to', (candidate, leadsTo) => {
    expect(nextPage(candidate, PUBLIC, PRODUCTS)).toBe(leadsTo);
    expect(nextPage(leadsTo, PUBLIC, PRODUCTS)).toBe(leadsTo);
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
    '/\ud800', `/${'a'.repeat(LONGEST_NEXT_PAGE)}`, `/${'é'.repeat(LONGEST_NEXT_PAGE / 2)}`, '/／evil.example\\',
  ])('%j is ignored', (candidate) => {
    expect(nextPage(candidate, PUBLIC, PRODUCTS)).toBeUndefined();
  });

  test.each([[undefined], [null], [['/a', '/b']], [{ a: 1 }], [1]])('%j is no page', (candidate) => {
    expect(nextPage(candidate, PUBLIC, PRODUCTS)).toBeUndefined();
  });

  test('whatever is accepted stays on our origin or is a start_url', () => {
    const pieces = ['/', '\\', '//', '..', '.', '%2f', '%5c', '@', ':', 'evil.example', '?', '#', ';', '\t', 'é', '／', 'a'];
    const escaped: string[] = [];
    for (const one of pieces) for (const two of pieces) for (const three of pieces) for (const four of pieces) {
      const accepted = nextPage(one + two + three + four, PUBLIC, PRODUCTS);
      if (accepted !== undefined && (new URL(accepted, PUBLIC).origin !== PUBLIC || !/^\/(?![/\\])/.test(accepted))) escaped.push(accepted);
    }
    expect(escaped).toEqual([]);
  });
});
