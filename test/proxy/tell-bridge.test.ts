import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { scannerSigns, type ScannerSign } from '../../proxy/login/scanner-signs.ts';
import { eventually } from '../support/eventually.ts';
import { send } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const TOKEN = 't'.repeat(43);
const LINK = `/api/login?invitation_token=${TOKEN}`;
const CHROME = 'Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
const BROWSER = { 'user-agent': CHROME, 'accept-language': 'en', cookie: 'x=y' };

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand.stop());
beforeEach(() => {
  stand.bridge.received.length = 0;
});

const told = (path: string) => stand.bridge.received.filter(({ url }) => url === path).map(({ body, headers }) => ({ message: JSON.parse(body) as Record<string, unknown>, requestId: headers['x-request-id'] }));
const toldOnce = (path: string) => eventually(async () => told(path)[0]);

describe('what speaks for a scanner', () => {
  test.each<[string, string, Record<string, string | undefined>, ScannerSign[]]>([
    ['a browser', 'GET', {}, []],
    ['a browser on a phone', 'GET', { 'user-agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1' }, []],
    ['a browser that was never here', 'GET', { cookie: undefined }, ['no_cookies']],
    ['HEAD', 'HEAD', {}, ['head']],
    ['no name', 'GET', { 'user-agent': undefined }, ['user_agent']],
    ['a bot', 'GET', { 'user-agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)' }, ['user_agent']],
    ['a preview', 'GET', { 'user-agent': `${CHROME} BingPreview/1.0b` }, ['user_agent']],
    ['a library', 'GET', { 'user-agent': 'python-requests/2.32', 'accept-language': undefined, cookie: undefined }, ['user_agent', 'no_language', 'no_cookies']],
    ['a prefetch', 'GET', { 'sec-purpose': 'prefetch;prerender' }, ['prefetch']],
    ['an older prefetch', 'GET', { 'x-moz': 'prefetch' }, ['prefetch']],
  ])('%s', (_name, method, headers, signs) => {
    expect(scannerSigns({ method, headers: { ...BROWSER, ...headers } })).toEqual(signs);
  });
});

describe('a link that is opened', () => {
  test('is told once the answer is out, with the request id that stands in it', async () => {
    const { status, headers } = await send(stand.url, { headers: { ...BROWSER, accept: 'text/html' } }, LINK);
    expect(status).toBe(302);
    expect(await toldOnce('/api/trial/opened')).toEqual({ message: { token: TOKEN, signs: [] }, requestId: headers.get('x-request-id') });
  });

  test('by HEAD, too, and both use nothing up: whoever comes next is sent on as well', async () => {
    await send(stand.url, { method: 'HEAD', headers: BROWSER }, LINK);
    expect((await toldOnce('/api/trial/opened')).message).toEqual({ token: TOKEN, signs: ['head'] });
    const browser = stand.browser();
    const sent = await browser.get(LINK);
    expect([sent.status, sent.location]).toEqual([302, expect.stringContaining(stand.provider.publicUrl)]);
  });

  test.each(['/api/login', '/api/login?invitation_token=short', '/api/login?next_page=%2Fx'])('is not what %s is', async (path) => {
    await send(stand.url, { headers: BROWSER }, path);
    await send(stand.url, { headers: BROWSER }, LINK);
    await toldOnce('/api/trial/opened');
    expect(told('/api/trial/opened')).toHaveLength(1);
  });

  test('is no slower and no worse while the bridge is away; the log has no token', async () => {
    const other = stand.bridge.answer;
    stand.bridge.answer = (req) => void req.socket.destroy();
    try {
      expect((await send(stand.url, { headers: { ...BROWSER, accept: 'text/html' } }, LINK)).status).toBe(302);
      await eventually(async () => stand.log().includes('misses a line') || undefined);
      expect(stand.log()).not.toContain(TOKEN);
    } finally {
      stand.bridge.answer = other;
    }
  });
});

describe('a sign-in', () => {
  const soon = Math.floor(Date.now() / 1000) + 86_400;

  test('of somebody on a trial is told', async () => {
    stand.provider.person = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada', trial: { app: 'a1', endsAt: soon, accessUntil: soon } };
    await stand.signedIn();
    expect((await toldOnce('/api/trial/signed-in')).message).toEqual({ user_id: 'user-ada', products: ['app'] });
  });

  test('of somebody on a trial who takes the place of another person is told once they go on', async () => {
    stand.provider.person = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada' };
    const browser = await stand.signedIn();
    stand.provider.person = { sub: 'user-grace', email: 'grace@example.com', name: 'Grace', trial: { app: 'a2', endsAt: soon, accessUntil: soon } };
    const question = await browser.follow(await browser.get('/api/login'));
    const login = /name="login" value="([^"]+)"/.exec(question.body)?.[1];
    expect(told('/api/trial/signed-in')).toEqual([]);
    await browser.post('/api/login/other-person', { login: login ?? '', choice: 'go_on' });
    expect((await toldOnce('/api/trial/signed-in')).message).toEqual({ user_id: 'user-grace', products: ['app'] });
  });

  test('of anybody else is not', async () => {
    stand.provider.person = { sub: 'user-eve', email: 'eve@example.com', name: 'Eve' };
    await stand.signedIn();
    await send(stand.url, { headers: BROWSER }, LINK);
    await toldOnce('/api/trial/opened');
    expect(told('/api/trial/signed-in')).toEqual([]);
  });
});
