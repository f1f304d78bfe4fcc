import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { send, type Reply, type Request } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const FRIEND = 'https://www.example.com';
const STRANGER = 'https://evil.example';

let stand: Stand;
let cookie: string;
beforeAll(async () => {
  stand = await startStand({
    env: { CORS_ORIGINS: `${FRIEND}, https://other.example.com`, CORS_METHODS: 'PUT', CORS_HEADERS: 'Content-Type, X-Csrf', CORS_EXPOSED_HEADERS: 'X-Total', FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1' },
  });
  cookie = `vestibule_dev=${(await stand.signedIn()).cookies.get('vestibule_dev')}`;
  stand.app.answer = (_req, res) => void res.writeHead(200, { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Credentials': 'true', 'X-Total': '3' }).end('the app');
});
afterAll(() => stand.stop());

const cors = ({ headers }: Reply) => Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'));
const ask = (headers: Record<string, string>, request: Request = {}, path = '/orders') => send(stand.url, { ...request, headers: { accept: 'application/json', ...headers } }, path);
const preflight = (origin: string, method = 'PUT', headers = 'content-type,x-csrf') =>
  ask({ origin, 'access-control-request-method': method, ...(headers && { 'access-control-request-headers': headers }) }, { method: 'OPTIONS' });

describe('a preflight, which never carries a session,', () => {
  test('of a configured origin is answered, and does not reach the app', async () => {
    const before = stand.app.received.length;
    const reply = await preflight(FRIEND);
    expect(reply.status).toBe(204);
    expect(cors(reply)).toEqual({
      'access-control-allow-origin': FRIEND,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT',
      'access-control-allow-headers': 'content-type, x-csrf',
      'access-control-expose-headers': 'X-Total',
      'access-control-max-age': '600',
      vary: 'Origin',
    });
    expect(stand.app.received).toHaveLength(before);
  });

  test.each<[string, () => Promise<Reply>]>([
    ['another origin', () => preflight(STRANGER)],
    ['an origin that begins like it', () => preflight(`${FRIEND}.evil.example`)],
    ['null', () => preflight('null')],
    ['another method', () => preflight(FRIEND, 'DELETE')],
    ['another header', () => preflight(FRIEND, 'PUT', 'content-type,x-other')],
  ])('of %s is refused, without a word that lets it in', async (_what, asked) => {
    const reply = await asked();
    expect([reply.status, reply.json()['code'], cors(reply)]).toEqual([403, 'forbidden', { vary: 'Origin' }]);
  });

  test('is for a gateway what it is for us: passed on as nobody’s, or 401', async () => {
    const told = { 'x-forwarded-uri': '/orders', 'x-forwarded-host': new URL(stand.url).host, 'x-forwarded-method': 'OPTIONS', 'access-control-request-method': 'PUT' };
    const [friend, stranger] = [await ask({ ...told, origin: FRIEND }, {}, '/api/auth'), await ask({ ...told, origin: STRANGER }, {}, '/api/auth')];
    expect([friend.status, friend.headers.get('x-user'), stranger.status]).toEqual([200, '', 401]);
  });
});

describe('an answer', () => {
  test('to a configured origin may be read, whatever the app says', async () => {
    const reply = await ask({ origin: FRIEND, cookie });
    expect([reply.status, cors(reply)]).toEqual([200, { 'access-control-allow-origin': FRIEND, 'access-control-allow-credentials': 'true', 'access-control-expose-headers': 'X-Total', vary: 'Origin' }]);
  });

  test('to another origin may not, whatever the app says', async () => {
    expect(cors(await ask({ origin: STRANGER, cookie }))).toEqual({ vary: 'Origin' });
    expect(cors(await ask({ cookie }))).toEqual({ vary: 'Origin' });
  });

  test('about nobody: 401 with the login address, which a configured origin may read', async () => {
    const reply = await ask({ origin: FRIEND });
    expect([reply.status, reply.location, reply.json()['login_url']]).toEqual([401, undefined, `${stand.url}/api/login?next_page=%2Forders`]);
    expect(reply.headers.get('access-control-allow-origin')).toBe(FRIEND);
    expect((await ask({ origin: STRANGER })).headers.get('access-control-allow-origin')).toBeNull();
  });

  test('when the app is away may be read too', async () => {
    const away = await startStand({ env: { APP_INTERNAL_URL: 'http://127.0.0.1:9', CORS_ORIGINS: FRIEND } });
    const theirs = `vestibule_dev=${(await away.signedIn()).cookies.get('vestibule_dev')}`;
    const reply = await send(away.url, { headers: { accept: 'application/json', origin: FRIEND, cookie: theirs } }, '/');
    expect([reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([502, FRIEND]);
    await away.stop();
  });
});

test('where nothing is configured no preflight passes, and the app answers for itself', async () => {
  const plain = await startStand();
  const theirs = `vestibule_dev=${(await plain.signedIn()).cookies.get('vestibule_dev')}`;
  plain.app.answer = (_req, res) => void res.writeHead(200, { 'Access-Control-Allow-Origin': FRIEND }).end();
  const asked = { accept: 'application/json', origin: FRIEND, 'access-control-request-method': 'PUT' };
  expect((await send(plain.url, { method: 'OPTIONS', headers: asked }, '/orders')).status).toBe(401);
  expect((await send(plain.url, { headers: { origin: FRIEND, cookie: theirs } }, '/orders')).headers.get('access-control-allow-origin')).toBe(FRIEND);
  await plain.stop();
});
