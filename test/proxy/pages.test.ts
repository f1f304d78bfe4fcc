import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { loadProducts, type Product, type Products } from '../../platform/products.ts';
import { startStand, type Stand } from './support/stand.ts';

const [APP] = loadProducts('products.yaml');
const STUDIO: Product = {
  ...APP,
  id: 'studio',
  name: 'Studio',
  locale: 'fr',
  trial_days: 30,
  start_url: '/studio',
  attributes: [{ id: 'team-size', label: 'Team size', required: true, max_length: 10 }],
  consents: [{ id: 'terms', label: 'I accept the terms', version: '2026-01', required: true, url: 'https://example.com/terms' }],
};
const PRODUCTS: Products = [APP, STUDIO];
const TOKEN = 't'.repeat(43);

let stand: Stand;
let accept: Stand['bridge']['answer'];
beforeAll(async () => {
  stand = await startStand({ products: PRODUCTS });
  accept = stand.bridge.answer;
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.bridge.answer = accept;
});

const refuse = (status: number, detail: string, headers: Record<string, string> = {}, field?: string) => {
  stand.bridge.answer = (_req, res) => void res.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify({ detail, code: 'x', field }));
};
const sent = () => JSON.parse(stand.bridge.last().body) as Record<string, unknown>;

describe('the sign-up form', () => {
  test('sends what was typed to the bridge, with the service token and the client’s address, and leads on', async () => {
    const browser = stand.browser();
    const reply = await browser.post('/trial', { email: ' Ada@Example.com ', firstname: 'Ada', lastname: '', company: 'Engines', next_page: '/reports', product: 'app', lang: 'fr' });
    expect([reply.status, reply.location]).toEqual([303, '/trial/check-email']);
    expect(sent()).toEqual({ username: 'Ada@Example.com', product: 'app', locale: 'fr', firstname: 'Ada', company: 'Engines', next_page: '/reports' });
    expect(stand.bridge.last().headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', authorization: expect.stringMatching(/^Bearer ey/) });
    const page = await browser.get('/trial/check-email');
    expect(page.body).toContain('Ada@Example.com');
    expect(page.body).toContain('href="/trial?product=app&amp;next_page=%2Freports"');
  });

  test('a product is chosen by the link, with its days, its own language and its questions', async () => {
    const page = await stand.browser().get('/trial?product=studio', { 'accept-language': 'de' });
    for (const text of ['Essayez Studio gratuitement pendant 30 jours', 'Team size', 'I accept the terms', 'https://example.com/terms', '<html lang="fr"']) expect(page.body).toContain(text);
    const reply = await stand.browser().post('/trial', { email: 'a@example.com', product: 'studio', 'attributes.team-size': '7', 'consents.terms': '2026-01' });
    expect(reply.status).toBe(303);
    expect(sent()).toMatchObject({ product: 'studio', attributes: { 'team-size': '7' }, consents: [{ id: 'terms', version: '2026-01' }] });
  });

  test('an unknown product is no page', async () => {
    expect((await stand.browser().get('/trial?product=nope')).status).toBe(404);
  });

  test.each([
    ['nothing typed', { email: ' ' }, 'Type the address'],
    ['the bridge says the address is none', { email: 'ada@exämple' }, 'We can’t write to this address'],
  ])('%s: the error stands on the field, what was typed is kept', async (_name, input, words) => {
    refuse(400, 'This is none.', {}, 'username');
    const reply = await stand.browser().post('/trial', { firstname: 'Ada "A" <b>', ...input });
    expect(reply.status).toBe(400);
    expect(reply.body).toContain(words);
    expect(reply.body).toMatch(/aria-describedby="email-error email-hint" aria-invalid="true" autofocus/);
    expect(reply.body).toContain('value="Ada &quot;A&quot; &lt;b&gt;"');
    expect(reply.body).toContain('<title>Please correct: ');
  });

  test('a required question and consent that are missing are asked for without calling the bridge', async () => {
    const before = stand.bridge.received.length;
    const reply = await stand.browser().post('/trial', { email: 'a@example.com', product: 'studio', lang: 'en' });
    expect(reply.status).toBe(400);
    expect(reply.body).toContain('We need this to go on.');
    expect(reply.body).toContain('Please tick this to go on.');
    expect(stand.bridge.received).toHaveLength(before);
  });

  test('too many: 429 with the wait in words and Retry-After, what was typed is kept', async () => {
    refuse(429, 'Try again in 95 seconds.', { 'retry-after': '95' });
    const reply = await stand.browser().post('/trial', { email: 'ada@example.com', lang: 'fr' });
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '95']);
    expect(reply.body).toMatch(/Attendez 2\sminutes/);
    expect(reply.body).toContain('value="ada@example.com"');
  });

  test.each([500, 401, 403])('the bridge answers %d: 502, what was typed is kept', async (status) => {
    refuse(status, 'inner words');
    const reply = await stand.browser().post('/trial', { email: 'ada@example.com' });
    expect(reply.status).toBe(502);
    expect(reply.body).toContain('What you typed is still here');
    expect(reply.body).not.toContain('inner words');
  });

  test.each(['/trial', '/trial/new-link'])('%s: switching the language keeps the input and sends nothing', async (path) => {
    const before = stand.bridge.received.length;
    const browser = stand.browser();
    const reply = await browser.post(path, { email: 'half@', next_page: '/wanted', switch_lang: 'fr' });
    expect(reply.status).toBe(200);
    for (const kept of ['<html lang="fr"', 'value="half@"', 'name="next_page" value="/wanted"']) expect(reply.body).toContain(kept);
    expect(stand.bridge.received).toHaveLength(before);
    expect((await browser.get('/trial/check-email')).body).toContain('Consultez vos e-mails');
  });

  test('a next_page of another site is not passed on', async () => {
    await stand.browser().post('/trial', { email: 'a@example.com', next_page: 'https://evil.example' });
    expect(sent()['next_page']).toBeUndefined();
    expect((await stand.browser().get('/trial?next_page=//evil.example')).body).not.toContain('evil.example');
  });

  test.each(['https://evil.example', `/${'a'.repeat(3_000)}`, '/api/logout'])('a form asked for with next_page=%.30s can be sent, and leads to no page of its own', async (page) => {
    expect((await stand.browser().get(`/trial?next_page=${encodeURIComponent(page)}`)).body).not.toContain('name="next_page"');
    const reply = await stand.browser().post('/trial', { email: 'a@example.com', next_page: page });
    expect([reply.location, 'next_page' in sent()]).toEqual(['/trial/check-email', false]);
  });
});

describe('a form that is not sent as one counts as empty', () => {
  const ANSWERS: [path: string, status: number][] = [
    ['/trial', 400],
    ['/trial/new-link', 400],
    ['/trial/not-me', 400],
    ['/api/login/resume', 303],
    ['/api/login/other-person', 303],
    ['/api/logout', 303],
  ];

  test.each(ANSWERS)('%s answers %d', async (path, status) => {
    const browser = stand.browser();
    const types: Record<string, string>[] = [{}, { 'content-type': 'application/json' }, { 'content-type': 'multipart/form-data; boundary=x' }];
    for (const type of types) {
      const reply = await browser.send(path, { method: 'POST', body: '{"email":"ada@example.com"}', headers: { accept: 'text/html', origin: stand.url, ...type } });
      expect(reply.status).toBe(status);
    }
  });
});

describe('a new link', () => {
  test('asks for the address only', async () => {
    const reply = await stand.browser().post('/trial/new-link', { email: 'ada@example.com', firstname: 'Ada' });
    expect(reply.location).toBe('/trial/check-email');
    expect(sent()).toEqual({ username: 'ada@example.com', product: 'app', locale: 'en' });
  });

  test('and for what its product cannot do without', async () => {
    const reply = await stand.browser().post('/trial/new-link', { email: 'ada@example.com', product: 'studio', lang: 'en' });
    expect(reply.status).toBe(400);
    for (const name of ['attributes.team-size', 'consents.terms']) expect(reply.body).toContain(`id="${name}-error"`);
    expect(reply.body).not.toContain('name="firstname"');
  });
});

describe('this wasn’t me', () => {
  test('looking changes nothing; the button tells the bridge, with the service token', async () => {
    const before = stand.bridge.received.length;
    const browser = stand.browser();
    const page = await browser.get(`/trial/not-me?t=${TOKEN}`);
    expect(page.status).toBe(200);
    expect(stand.bridge.received).toHaveLength(before);
    const reply = await browser.post('/trial/not-me', { t: TOKEN });
    expect([reply.status, reply.location]).toEqual([303, '/trial/not-me/done']);
    expect([stand.bridge.last().url, sent()]).toEqual(['/api/trial/not-me', { token: TOKEN }]);
    expect(stand.bridge.last().headers.authorization).toMatch(/^Bearer ey/);
  });

  test('switching the language keeps the token', async () => {
    const reply = await stand.browser().post('/trial/not-me', { t: TOKEN, switch_lang: 'fr' });
    expect(reply.body).toContain('Ce n’était pas vous');
    expect(reply.body).toContain(`name="t" value="${TOKEN}"`);
  });

  test('a link without a token says so', async () => {
    const reply = await stand.browser().get('/trial/not-me');
    expect([reply.status, reply.body.includes('This link is not complete')]).toEqual([400, true]);
  });

  test('the bridge in trouble: an error page, not a promise', async () => {
    refuse(500, 'x');
    expect((await stand.browser().post('/trial/not-me', { t: TOKEN })).status).toBe(502);
  });
});

describe('every page', () => {
  const PAGES = ['/trial', '/trial/check-email', '/trial/new-link', `/trial/not-me?t=${TOKEN}`, '/trial/not-me/done', '/api/logout/done', '/api/login/ended?why=refused', '/api/login?invitation_token=x', '/api/callback?state=x&code=y', '/trial/nothing'];

  test.each(PAGES)('%s may not be framed, stored, scripted, or leak its address (SECURITY 24)', async (path) => {
    const { headers, body } = await stand.browser().get(path);
    expect(headers.get('content-security-policy')).toBe(`default-src 'none';style-src 'self';img-src 'self';form-action 'self' ${stand.provider.publicUrl};frame-ancestors 'none';base-uri 'none'`);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(['no-referrer', 'same-origin']).toContain(headers.get('referrer-policy'));
    expect(body).not.toMatch(/<script|\sstyle=|\son\w+=/i);
  });

  test.each([`/trial/not-me?t=${TOKEN}`, '/api/login?invitation_token=x', '/api/callback?state=x&code=y', '/api/login/resume'])('SECURITY 10: %s takes a token: no-referrer and no-store', async (path) => {
    const { headers } = await stand.browser().get(path);
    expect([headers.get('referrer-policy'), headers.get('cache-control')]).toEqual(['no-referrer', 'no-store']);
  });

  test.each([
    ['?lang=', '/trial/check-email?lang=fr', {}, 'fr'],
    ['Accept-Language', '/trial/check-email', { 'accept-language': 'fr-CA,en;q=0.5' }, 'fr'],
    ['an unknown ?lang=', '/trial/check-email?lang=xx', {}, 'en'],
    ['two ?lang=', '/trial/check-email?lang=fr&lang=en', {}, 'en'],
  ])('takes its language from %s', async (_name, path, headers, language) => {
    const reply = await stand.browser().get(path, headers as Record<string, string>);
    expect(reply.body).toContain(`<html lang="${language}"`);
    expect(reply.headers.get('content-language')).toBe(language);
  });

  test('remembers a chosen language', async () => {
    const browser = stand.browser();
    await browser.get('/trial?lang=fr');
    expect((await browser.get('/api/logout/done')).body).toContain('Vous êtes déconnecté');
  });

  test.each([
    ['/trial/nothing?product=app&next_page=/x&code=secret&state=secret&t=secret&invitation_token=secret', '/trial/nothing?product=app&amp;next_page=%2Fx&amp;lang=fr'],
    ['/api/login/ended?why=refused&next_page=/x&code=secret', '/api/login/ended?why=refused&amp;next_page=%2Fx&amp;lang=fr'],
  ])('a link from %s to the other language keeps what the page needs, never a secret', async (path, link) => {
    const { body } = await stand.browser().get(path);
    expect(body).toContain(`href="${link}"`);
    expect(body).not.toContain('secret');
  });

  test('404 for people has the request id and a way on; for programs it is problem+json', async () => {
    const page = await stand.browser().get('/trial/nothing');
    expect(page.body).toContain(String(page.headers.get('x-request-id')));
    expect(page.body).toContain('href="/"');
    const problem = await stand.browser().send('/trial/nothing', { headers: { accept: 'application/json' } });
    expect(problem.json()).toMatchObject({ status: 404, code: 'not_found' });
  });
});

describe('assets', () => {
  test('are kept for ever under their own version, briefly otherwise', async () => {
    const href = /href="(\/trial\/assets\/vestibule\.css\?v=[0-9a-f]+)"/.exec((await stand.browser().get('/trial')).body)?.[1] ?? '';
    const versioned = await stand.browser().send(href);
    expect([versioned.status, versioned.headers.get('content-type'), versioned.headers.get('cache-control')]).toEqual([200, 'text/css; charset=utf-8', 'public, max-age=31536000, immutable']);
    const bare = await stand.browser().send('/trial/assets/vestibule.css');
    expect(bare.headers.get('cache-control')).toBe('public, max-age=300');
  });

  test.each(['/trial/assets/nothing.css', '/trial/assets/pages.ts', '/trial/assets/'])('%s is 404', async (path) => {
    expect((await stand.browser().send(path)).status).toBe(404);
  });
});
