import { describe, expect, test } from '@jest/globals';
import { targetFault } from '../../platform/request-target.ts';
import { isReserved } from '../../proxy/request-target.ts';

/** SECURITY 20: rules see the bytes that are forwarded. */
const REFUSED: [target: string, because: string][] = [
  ['//evil.example/', 'doubled slash'],
  ['/a//b', 'doubled slash inside'],
  ['/a\\b', 'backslash'],
  ['/%2e%2e/api/login', 'encoded dots'],
  ['/a/../api/login', 'dot segment'],
  ['/a/..', 'dot segment at the end'],
  ['/./a', 'single dot'],
  ['/a/.%2e/b', 'half encoded dots'],
  ['/a/..;x=1/b', 'dot segment with a parameter'],
  ['/api%2flogin', 'encoded slash'],
  ['/api%2Flogin', 'encoded slash, upper case'],
  ['/api%5clogin', 'encoded backslash'],
  ['/api%252flogin', 'doubly encoded slash'],
  ['/api%25252flogin', 'triply encoded slash'],
  ['/a%252e%252e/b', 'doubly encoded dots'],
  ['/%2561dmin', 'doubly encoded letter'],
  ['/%252561dmin', 'triply encoded letter'],
  ['/a%25%36%31', 'letter whose escape is encoded'],
  ['/100%25ab', 'percent sign that could be an escape'],
  ['/admin%3fx', 'encoded question mark'],
  ['/admin%3Fx', 'encoded question mark, upper case'],
  ['/admin%253fx', 'doubly encoded question mark'],
  ['/admin%23x', 'encoded hash'],
  ['/admin%2523x', 'doubly encoded hash'],
  ['/a%00b', 'NUL'],
  ['/a%0d%0aSet-Cookie:x', 'line break'],
  ['/a%7f', 'DEL'],
  ['/a%2', 'broken escape'],
  ['/a%zz', 'no escape'],
  ['/a#b', 'fragment'],
  ['/é', 'raw non-ASCII'],
  ['/a b', 'space'],
  ['/a?x=é', 'raw non-ASCII in the query'],
  ['http://evil.example/', 'absolute form'],
  ['*', 'asterisk form'],
  ['', 'nothing'],
];

describe('a request target', () => {
  test.each(REFUSED)('%j is refused: %s', (target) => {
    expect(targetFault(target)).toEqual(expect.any(String));
  });

  test.each(['/', '/a/', '/a/b.c', '/.well-known/x', '/a..b', '/...', '/a;v=1', '/caf%C3%A9', '/a%20b', '/100%25', '/100%25%20off', '/100%25-off', '/a?next=//x/../%2f', '/a?x=%zz', '/a?x=%2561%3f%23'])('%j passes', (target) => {
    expect(targetFault(target)).toBeUndefined();
  });

  test.each(['/api', '/api/', '/api/x', '/API/x', '/%61pi/x', '/api;x/y', '/api?x', '/trial', '/trial/x', '/Trial', '/embed/a', '/staff', '/staff/x', '/remote-billing-login/x', '/realm/x', '/server/x', '/serverlogin/', '/livez', '/readyz'])(
    '%j is the proxy’s own',
    (target) => {
      expect(isReserved(target)).toBe(true);
    },
  );

  test.each(['/', '/apis', '/trials', '/staffing', '/a/api', '/apps/1', '/realms', '/livez2', '/?/api'])('%j is the app’s', (target) => {
    expect(isReserved(target)).toBe(false);
  });
});
