import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { loadProducts, type Product } from '../../platform/products.ts';
import { loadConfig } from '../../proxy/config.ts';
import { axe, launchBrowser, type TestBrowser } from '../support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const SITE_KEY = 'site-key-0123';
const CAPTCHA = { CAPTCHA_PROVIDER: 'turnstile', CAPTCHA_SITE_KEY: SITE_KEY };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const [APP] = loadProducts('products.yaml');
const ASKING: Product = { ...APP, attributes: [{ id: 'team', label: { en: 'Team', fr: 'Équipe' }, required: true, max_length: 20 }], consents: [{ id: 'terms', label: { en: 'I accept the terms', fr: 'J’accepte les conditions' }, version: '3', required: true }] };

let stand: Stand;
let accept: Stand['bridge']['answer'];
beforeAll(async () => {
  stand = await startStand({ products: [ASKING], env: CAPTCHA });
  accept = stand.bridge.answer;
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.bridge.answer = accept;
});

const TYPED = { email: 'ada@example.com', firstname: 'Ada', 'attributes.team': 'Engines', 'consents.terms': '3', lang: 'en' };
const refuseCaptcha = () => {
  stand.bridge.answer = (_req, res) => void res.writeHead(422, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ code: 'captcha_refused', field: 'captcha' }));
};
const sent = () => JSON.parse(stand.bridge.last().body) as Record<string, unknown>;

describe('a form behind a captcha', () => {
  test.each(['/trial', '/trial/new-link'])('%s shows the widget, and may load what it needs and nothing else', async (path) => {
    const { body, headers } = await stand.browser().get(path);
    expect(body).toContain(`class="cf-turnstile" data-sitekey="${SITE_KEY}"`);
    expect(headers.get('content-security-policy')).toBe(
      `default-src 'none';style-src 'self';img-src 'self';form-action 'self' ${stand.provider.publicUrl};frame-ancestors 'none';base-uri 'none';script-src https://challenges.cloudflare.com;frame-src https://challenges.cloudflare.com`,
    );
  });

  test('no other page may load it', async () => {
    for (const path of ['/trial/check-email', '/trial/not-me?t=x', '/api/logout/done']) {
      expect((await stand.browser().get(path)).headers.get('content-security-policy')).not.toContain('cloudflare');
    }
  });

  test('brings the answer to the bridge', async () => {
    expect((await stand.browser().post('/trial', { ...TYPED, 'cf-turnstile-response': 'solved' })).status).toBe(303);
    expect(sent()).toMatchObject({ username: 'ada@example.com', captcha: 'solved' });
  });

  test.each(['/trial', '/trial/new-link'])('%s without an answer asks for it, without calling the bridge, and keeps what was typed', async (path) => {
    const before = stand.bridge.received.length;
    const reply = await stand.browser().post(path, TYPED);
    expect(reply.status).toBe(400);
    for (const kept of ['Please do the security check', 'value="ada@example.com"', 'value="Engines"', 'name="consents.terms" value="3" checked']) expect(reply.body).toContain(kept);
    expect(stand.bridge.received).toHaveLength(before);
  });

  test('whose answer the bridge refuses says so at the widget, and keeps what was typed', async () => {
    refuseCaptcha();
    const reply = await stand.browser().post('/trial', { ...TYPED, 'cf-turnstile-response': 'used before' });
    expect(reply.status).toBe(422);
    expect(reply.body).toMatch(/aria-describedby="captcha-error" tabindex="-1" autofocus/);
    for (const kept of ['The security check did not count', 'value="ada@example.com"', 'value="Ada"', 'name="consents.terms" value="3" checked']) expect(reply.body).toContain(kept);
    expect(reply.body).not.toContain('used before');
  });

  test('a consent to a text that has changed meanwhile is asked for again, not ticked', async () => {
    const before = stand.bridge.received.length;
    const reply = await stand.browser().post('/trial', { ...TYPED, 'consents.terms': '2', 'cf-turnstile-response': 'solved' });
    expect(reply.body).toContain('This has changed.');
    expect(reply.body).not.toContain(' checked');
    expect(stand.bridge.received).toHaveLength(before);
  });

  test('asks in the language of the page', async () => {
    const { body } = await stand.browser().get('/trial?lang=fr');
    for (const text of ['Équipe', 'J’accepte les conditions', 'Vérification de sécurité', 'data-language="fr"']) expect(body).toContain(text);
  });
});

test('a proxy that shows no widget says that it can’t take requests, and why in its log', async () => {
  const plain = await stand.replica({ CAPTCHA_PROVIDER: '', CAPTCHA_SITE_KEY: '' });
  try {
    refuseCaptcha();
    expect((await plain.browser().post('/trial', { ...TYPED, origin: stand.url })).status).toBe(502);
    expect(plain.log()).toContain('set CAPTCHA_PROVIDER and CAPTCHA_SITE_KEY');
  } finally {
    await plain.proxy.stop();
  }
});

test('hCaptcha needs styles and connections as well', async () => {
  const other = await stand.replica({ CAPTCHA_PROVIDER: 'hcaptcha' });
  try {
    const { body, headers } = await other.browser().get('/trial');
    const policy = headers.get('content-security-policy') ?? '';
    for (const directive of ['script-src', "style-src 'self'", 'frame-src', 'connect-src']) expect(policy).toContain(`${directive} https://hcaptcha.com https://*.hcaptcha.com`);
    expect(body).toContain('class="h-captcha"');
    await other.browser().post('/trial', { ...TYPED, 'h-captcha-response': 'solved', origin: stand.url });
    expect(sent()).toMatchObject({ captcha: 'solved' });
  } finally {
    await other.proxy.stop();
  }
});

test.each([
  ['CAPTCHA_SITE_KEY', { CAPTCHA_PROVIDER: 'turnstile' }],
  ['CAPTCHA_PROVIDER', { CAPTCHA_SITE_KEY: 'k' }],
  ['CAPTCHA_PROVIDER', { CAPTCHA_PROVIDER: 'riddle', CAPTCHA_SITE_KEY: 'k' }],
])('half a captcha names %s and stops the start: %j', (name, env) => {
  const fault = (() => {
    try {
      loadConfig({ VESTIBULE_MODE: 'development', PROXY_PORT: '0', PROXY_DATABASE_URL: 'postgres://x', PROXY_PUBLIC_URL: 'http://localhost', PROXY_CLIENT_ID: 'p', PROXY_CLIENT_SECRET: 's', KEYCLOAK_PUBLIC_URL: 'http://localhost:1', SESSION_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64'), BRIDGE_INTERNAL_URL: 'http://b', APP_INTERNAL_URL: 'http://a', CONTACT_URL: 'https://example.com', ...env });
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  })();
  expect(fault).toContain(name);
});

describe('in Chromium', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  afterEach(() => browser.closePages());

  /** In the place of Turnstile's script: a box that a person ticks, whose answer the form brings. */
  const SCRIPT = `for (const box of document.querySelectorAll('.cf-turnstile')) {
    const answer = document.createElement('input');
    answer.type = 'hidden';
    answer.name = 'cf-turnstile-response';
    const tick = document.createElement('input');
    tick.type = 'checkbox';
    tick.id = 'person';
    tick.onchange = () => { answer.value = 'solved for ' + box.dataset.sitekey; };
    const label = document.createElement('label');
    label.htmlFor = 'person';
    label.textContent = 'I am a person';
    box.append(tick, label, answer);
  }`;

  async function openForm(options: object = {}): Promise<{ page: Page; refused: string[] }> {
    const page = await browser.newPage({ baseURL: stand.url, locale: 'en', viewport: { width: 360, height: 740 }, ...options });
    const refused: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) refused.push(message.text());
    });
    await page.route('https://challenges.cloudflare.com/turnstile/v0/api.js', (route) => route.fulfill({ contentType: 'text/javascript', body: SCRIPT }));
    await page.goto('/trial');
    return { page, refused };
  }

  test('one signs up by the keyboard alone, is refused once, and finds everything as it was', async () => {
    const { page, refused } = await openForm();
    await page.waitForSelector('#person');
    await page.focus('#email');
    const type = async (text: string) => {
      await page.keyboard.type(text);
      await page.keyboard.press('Tab');
    };
    for (const text of ['ada@example.com', 'Ada', 'Lovelace', 'Engines', 'Analysis']) await type(text);
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    refuseCaptcha();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#captcha-error');
    expect(await page.evaluate<string | null>('document.activeElement.getAttribute("aria-labelledby")')).toBe('captcha-label');
    expect(await page.inputValue('#email')).toBe('ada@example.com');
    expect(await page.isChecked('[name="consents.terms"]')).toBe(true);
    expect(await axe(page, RULES)).toEqual([]);
    if (process.env['SCREENSHOTS']) await page.screenshot({ path: `${process.env['SCREENSHOTS']}/captcha-refused.png`, fullPage: true });
    stand.bridge.answer = accept;
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/trial/check-email');
    expect(sent()).toMatchObject({ username: 'ada@example.com', captcha: `solved for ${SITE_KEY}`, attributes: { team: 'Analysis' } });
    expect(refused).toEqual([]);
  });

  test('without JavaScript the form says what to do, and whom to write to', async () => {
    const { page } = await openForm({ javaScriptEnabled: false });
    expect(await page.textContent('noscript, .alert')).toContain('Switch it on for this page');
    expect(await page.getAttribute('.alert a', 'href')).toBe('https://example.com/contact');
    if (process.env['SCREENSHOTS']) await page.screenshot({ path: `${process.env['SCREENSHOTS']}/captcha-no-script.png`, fullPage: true });
  });
});
