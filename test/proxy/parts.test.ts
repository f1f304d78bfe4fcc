import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { acceptedLanguages } from '../../platform/locale.ts';
import { secret } from '../../platform/secret.ts';
import { cookieJar, onlyCookie, readCookies, setsOwnCookie, withoutOwnCookies } from '../../proxy/cookie.ts';
import { loadPages, waitInWords } from '../../proxy/pages/pages.ts';
import { createSeal } from '../../proxy/seal.ts';

const key = (fill: number) => secret(Buffer.alloc(32, fill).toString('base64'));

describe('a seal', () => {
  test('opens what it sealed, for the same purpose only', () => {
    const seal = createSeal([key(1)]);
    const sealed = seal.seal('session', { a: 1 });
    expect(seal.open('session', sealed)).toEqual({ a: 1 });
    expect(seal.open('login', sealed)).toBeUndefined();
  });

  test('a changed key still opens what the previous one sealed', () => {
    const sealed = createSeal([key(1)]).seal('login', 'x');
    expect(createSeal([key(2), key(1)]).open('login', sealed)).toBe('x');
    expect(createSeal([key(2)]).open('login', sealed)).toBeUndefined();
  });

  test('any changed character is refused', () => {
    const seal = createSeal([key(1)]);
    const sealed = seal.seal('notice', { email: 'ada@example.com' });
    const changed = [...sealed].map((character, at) => sealed.slice(0, at) + (character === 'A' ? 'B' : 'A') + sealed.slice(at + 1)).filter((text) => text !== sealed);
    // The last base64url character may carry unused bits.
    const opened = changed.slice(0, -1).filter((text) => seal.open('notice', text) !== undefined);
    expect(opened).toEqual([]);
  });

  test.each(['', '.', 'x', 'x.y', '........'])('%j is refused', (text) => {
    expect(createSeal([key(1)]).open('session', text)).toBeUndefined();
  });
});

describe('cookies', () => {
  test('over https they have the __Host- prefix and are Secure', () => {
    const jar = cookieJar('https://app.example');
    expect(jar.set(jar.session, 'x')).toBe('__Host-vestibule=x; Path=/; HttpOnly; SameSite=Lax; Secure');
  });

  test('two of one name count as none (SECURITY 22)', () => {
    expect(onlyCookie(readCookies('vestibule_dev=a; vestibule_dev=b'), 'vestibule_dev')).toBeUndefined();
    expect(onlyCookie(readCookies('x=1; vestibule_dev=a'), 'vestibule_dev')).toBe('a');
  });

  test.each(['__Host-vestibule=x', '__Host-vestibule-login-abc=x', '__host-VESTIBULE=x', 'vestibule_dev=x', ' vestibule_dev_lang=fr', '=__Host-vestibule=x', 'vestibule_dev', '__Secure-vestibule=1', '__Host-vestibule =x; Path=/'])(
    '%j is ours',
    (pair) => {
      expect(setsOwnCookie(pair)).toBe(true);
    },
  );

  test('the app gets all others, as they are', () => {
    expect(withoutOwnCookies('a=1; vestibule_dev=x; b="2; c=vestibule_dev=1')).toBe('a=1; b="2; c=vestibule_dev=1');
    expect(withoutOwnCookies('vestibule_dev=x')).toBeUndefined();
  });
});

describe('languages', () => {
  const pages = loadPages();
  test('every message exists in every language', () => {
    expect(pages.languages.map(({ code }) => code).sort()).toEqual(['en', 'fr']);
    expect(keys('fr')).toEqual(keys('en'));
  });

  test('every message has the same holes in every language', () => {
    const fr = messages('fr');
    const different = Object.entries(messages('en')).filter(([key, text]) => JSON.stringify(holes(text)) !== JSON.stringify(holes(fr[key] ?? '')));
    expect(different).toEqual([]);
  });

  test.each([
    ['fr-CA,fr;q=0.9,en;q=0.8', 'fr'],
    ['de,en;q=0.5,fr;q=0.4', 'en'],
    ['en;q=0.1,fr', 'fr'],
    ['de', 'en'],
    ['*', 'en'],
    ['fr;q=0', 'en'],
    [undefined, 'en'],
  ])('Accept-Language %j is answered in %s', (header, language) => {
    expect(pages.choose(acceptedLanguages(header))).toBe(language);
  });

  test('a wait is said in words', () => {
    expect([waitInWords(0, 'en'), waitInWords(50, 'fr'), waitInWords(95, 'en'), waitInWords(7200, 'fr')]).toEqual(['1 second', '50\u00a0secondes', '2 minutes', '2\u00a0heures']);
  });
});


function messages(language: string): Record<string, string> {
  return JSON.parse(readFileSync(`proxy/pages/messages/${language}.json`, 'utf8')) as Record<string, string>;
}

function keys(language: string): string[] {
  return Object.keys(messages(language)).sort();
}

function holes(text: string): string[] {
  return (text.match(/\{\w+\}/g) ?? []).sort();
}
