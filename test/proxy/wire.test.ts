import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startDeafApp } from './support/deaf-app.ts';
import { rawApp, rawConnection, type RawConnection } from './support/raw.ts';
import { startStand, type Stand } from './support/stand.ts';

/** Bytes on both sides of the proxy: what RFC 9110 and 9112 say about one hop. */
let stand: Stand;
let app: Awaited<ReturnType<typeof rawApp>>;
let talk: (connection: RawConnection) => void | Promise<void>;
let cookie: string;
beforeAll(async () => {
  app = await rawApp((connection) => talk(connection));
  stand = await startStand({ env: { APP_INTERNAL_URL: app.url, APP_ANSWER_SECONDS: '1', APP_WHOLE_SECONDS: '2' } });
  stand.provider.person = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada', roles: [] };
  talk = plain('');
  cookie = `vestibule_dev=${(await stand.signedIn()).cookies.get('vestibule_dev')}`;
});
afterAll(async () => {
  await stand.stop();
  await app.stop();
});
const open: RawConnection[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.socket.destroy();
});

const HEAD_END = /\r\n\r\n/;
const plain = (body: string) => answering(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

/** Answers the one request of each connection with these bytes. */
function answering(bytes: string, { after = HEAD_END, stays = false } = {}) {
  return async (connection: RawConnection): Promise<void> => {
    await connection.hears(after);
    connection.write(bytes);
    if (!stays) connection.socket.end();
  };
}

function dial(url = stand.url): RawConnection {
  const connection = rawConnection(url);
  open.push(connection);
  return connection;
}

function head(method: string, lines: readonly string[] = [], path = '/'): string {
  return `${[`${method} ${path} HTTP/1.1`, `Host: ${new URL(stand.url).host}`, `Cookie: ${cookie}`, ...lines].join('\r\n')}\r\n\r\n`;
}

/** The answer to one request that is the last on its connection, and what the app heard. */
async function exchange(request: string, answer: string, after = HEAD_END): Promise<{ answer: string; app: string }> {
  let heard: RawConnection | undefined;
  const answers = answering(answer, { after });
  talk = (connection) => {
    heard = connection;
    return answers(connection);
  };
  const client = dial();
  client.write(request);
  return { answer: await client.toItsEnd(), app: heard?.heard() ?? '' };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const LAST = 'Connection: close';
const MEGABYTE = 1_000_000;

describe('hop by hop (RFC 9110 7.6.1)', () => {
  test.each([
    ['what Connection names', ['Connection: close, X-Mine, Foo', 'X-Mine: 1', 'foo: 2'], ['x-mine', 'foo']],
    ['several Connection lines', ['Connection: close', 'Connection: X-Mine', 'X-Mine: 1'], ['x-mine']],
    ['TE', [LAST, 'TE: trailers, deflate;q=0.5'], ['te']],
    ['Keep-Alive and Proxy-…', [LAST, 'Keep-Alive: timeout=5', 'Proxy-Connection: close', 'Proxy-Authorization: Basic x'], ['keep-alive', 'proxy-connection', 'proxy-authorization']],
    ['Upgrade to something else', ['Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'], ['upgrade', 'http2-settings']],
  ])('%s stops here', async (_what, lines, stopped) => {
    const { app: heard } = await exchange(head('GET', lines), OK);
    for (const name of stopped) expect(heard.toLowerCase()).not.toContain(`\r\n${name}:`);
  });

  test.each(['X-User', 'x-user, X-User-Email', 'X_User', 'X-Forwarded-For, Forwarded', 'Cookie', 'Host', 'X-Request-Id'])('Connection: %s takes none of ours away (SECURITY 21)', async (named) => {
    const { app: heard } = await exchange(head('GET', [`Connection: close, ${named}`, 'X-User: forged']), OK);
    for (const line of ['X-User: user-ada', 'X-User-Email: ada@example.com', 'X-Forwarded-For: 127.0.0.1', `Host: ${new URL(stand.url).host}`]) expect(heard.toLowerCase()).toContain(`\r\n${line.toLowerCase()}\r\n`);
    expect(heard).toMatch(/\r\nforwarded: for=127\.0\.0\.1;host="127\.0\.0\.1:\d+";proto=http\r\n/i);
    expect(heard).not.toContain('forged');
  });

  test('of the app: its connection is not the browser’s', async () => {
    const { answer } = await exchange(head('GET', [LAST]), 'HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\nX-Stays: 2\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok');
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('X-Stays: 2');
    for (const name of ['x-hop', 'timeout=9', 'proxy-authenticate']) expect(answer.toLowerCase()).not.toContain(name);
  });
});

describe('a message that could be read in two ways is refused', () => {
  test.each([
    ['length and chunked', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6'], 'hello!'],
    ['a length with a sign', ['Content-Length: +5'], 'hello'],
    ['chunked, then something else', ['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
    ['another coding', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'],
    ['a space before the colon', ['Content-Length : 5'], 'hello'],
    ['a folded line', ['X-Folded: a', ' b'], ''],
  ])('%s', async (_what, lines, body) => {
    let reached = false;
    talk = () => {
      reached = true;
    };
    const client = dial();
    client.write(head('POST', [...lines, LAST]) + body);
    expect(await client.toItsEnd()).toMatch(/^HTTP\/1\.1 400 /);
    expect(reached).toBe(false);
  });
});

const CHUNKED = (trailers: string) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n${trailers}\r\n`;

describe('trailers', () => {
  test('of the app pass', async () => {
    const { answer } = await exchange(head('GET', [LAST, 'TE: trailers']), CHUNKED('X-Sum: abc\r\n'));
    expect(answer.toLowerCase()).toContain('\r\ntrailer: x-sum\r\n');
    expect(answer).toMatch(/\r\n0\r\nX-Sum: abc\r\n\r\n$/i);
  });

  test.each(['X-User: forged', 'x_user_email: forged', 'X-Forwarded-For: forged', 'Set-Cookie: vestibule_dev=forged', 'Connection: forged', 'X-Vestibule-Identity: forged'])('of the app: %s does not (SECURITY 21)', async (line) => {
    const { answer } = await exchange(head('GET', [LAST]), CHUNKED(`${line}\r\nX-Sum: abc\r\n`));
    expect(answer).toMatch(/\r\n0\r\nX-Sum: abc\r\n\r\n$/i);
  });

  test('of the browser: none reaches the app, whatever it says (SECURITY 21)', async () => {
    const request = `${head('POST', [LAST, 'Transfer-Encoding: chunked', 'Trailer: X-User, X-Sum'])}5\r\nhello\r\n0\r\nX-User: forged\r\nX_User: forged\r\nX-Sum: abc\r\n\r\n`;
    const { app: heard, answer } = await exchange(request, OK, /hello/);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(heard).not.toMatch(/forged|X-Sum/);
  });

  test('an answer of HTTP/1.0 has none', async () => {
    talk = answering(CHUNKED('X-Sum: abc\r\n'));
    const client = dial();
    client.write(head('GET').replace('HTTP/1.1', 'HTTP/1.0'));
    expect(await client.toItsEnd()).toMatch(/\r\n\r\nok$/);
  });
});

describe('a body that is held back until 100 (RFC 9110 10.1.1)', () => {
  const HELD = ['Expect: 100-continue', 'Content-Length: 5'];

  test('is asked for, and arrives; the app is not asked to wait for it', async () => {
    let heard = '';
    talk = async (connection) => {
      heard = await connection.hears(/hello$/);
      connection.write(OK);
      connection.socket.end();
    };
    const client = dial();
    client.write(head('POST', HELD));
    await client.hears(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.write('hello');
    await client.hears(/HTTP\/1\.1 200 OK\r\n(.*\r\n)+\r\nok$/);
    expect(heard.toLowerCase()).not.toContain('expect:');
  });

  test.each([
    ['nobody is signed in', () => head('POST', HELD).replace(/Cookie: .*\r\n/, ''), 401],
    ['the address is ambiguous', () => head('POST', HELD, '/a//b'), 400],
  ])('is never sent when %s, and nothing may follow on that connection', async (_why, request, status) => {
    const client = dial();
    client.write(request());
    const answer = await client.toItsEnd();
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.toLowerCase()).toContain('\r\nconnection: close\r\n');
  });

  test('is never sent when the app is away', async () => {
    const away = await startStand({ env: { APP_INTERNAL_URL: 'http://127.0.0.1:9' } });
    const client = rawConnection(away.url);
    client.write(head('POST', HELD).replace(cookie, `vestibule_dev=${(await away.signedIn()).cookies.get('vestibule_dev')}`));
    expect(await client.toItsEnd()).toMatch(/^HTTP\/1\.1 502 /);
    await away.stop();
  });

  test('an expectation that nobody knows gets 417', async () => {
    const client = dial();
    client.write(head('POST', ['Expect: a-miracle', 'Content-Length: 5', LAST]));
    expect(await client.toItsEnd()).toMatch(/^HTTP\/1\.1 417 /);
  });
});

describe('answers', () => {
  test('103 Early Hints pass ahead of the answer', async () => {
    const { answer } = await exchange(head('GET', [LAST]), `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\nX-User: forged\r\n\r\n${OK}`);
    expect(answer).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK\r\n/i);
  });

  test('other interim answers are swallowed', async () => {
    const { answer } = await exchange(head('GET', [LAST]), `HTTP/1.1 102 Processing\r\n\r\n${OK}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('of an event stream that rests: its headers arrive before its first event', async () => {
    talk = answering('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n', { stays: true });
    const client = dial();
    client.write(head('GET'));
    await client.hears(/^HTTP\/1\.1 200 OK\r\n(.*\r\n)*Content-Type: text\/event-stream\r\n(.*\r\n)*\r\n$/i);
  });

  const EARLY = 'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig';
  test.each<[string, RegExp, (connection: RawConnection) => void | Promise<void>]>([
    ['the browser hears it', /^HTTP\/1\.1 413 Too Large\r\n(.*\r\n)*\r\nbig$/, answering(EARLY)],
    ['the app may keep its connection', /^HTTP\/1\.1 413 Too Large\r\n(.*\r\n)*\r\nbig$/, answering(EARLY, { stays: true })],
    ['502 when the app breaks off', /^HTTP\/1\.1 502 /, (connection) => void connection.hears(HEAD_END).then(() => connection.socket.destroy())],
  ])('before the upload is over: %s, even if it reads nothing before it has sent everything; nothing may follow', async (_what, answer, talks) => {
    talk = talks;
    const client = dial();
    const errors: Error[] = [];
    client.socket.on('error', (error) => errors.push(error)).pause();
    client.write(head('POST', [`Content-Length: ${10 * MEGABYTE}`]));
    for (let sent = 0; sent < 10; sent += 1) await new Promise((resolve) => client.socket.write(Buffer.alloc(MEGABYTE), resolve));
    client.socket.resume();
    const heard = await client.toItsEnd();
    expect(heard).toMatch(answer);
    expect([/\r\nConnection: close\r\n/i.test(heard), errors]).toEqual([true, []]);
  });

  test('to HEAD: headers as of GET, and the connection goes on', async () => {
    talk = answering('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nTrailer: X-Sum\r\n\r\n');
    const client = dial();
    client.write(head('HEAD'));
    await client.hears(/Content-Length: 1234\r\n(.*\r\n)*\r\n$/i);
    talk = plain('next');
    client.write(head('GET', [LAST]));
    expect(await client.toItsEnd()).toMatch(/next$/);
  });
});

/** Answers once, and closes when it is asked again on that connection. */
function oneAnswer(): void {
  let talks = 0;
  talk = async (connection) => {
    talks += 1;
    await connection.hears(HEAD_END);
    connection.write(OK);
    if (talks > 1) return;
    await connection.hears(/\r\n\r\n[^]+\r\n\r\n/);
    connection.socket.destroy();
  };
}

describe('an app that closes a connection that rested', () => {
  test('is asked again for what changes nothing', async () => {
    oneAnswer();
    const client = dial();
    client.write(head('GET'));
    await client.hears(/ok$/);
    client.write(head('GET', [LAST]));
    expect((await client.toItsEnd()).match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  });

  test('is never asked twice for what changes something', async () => {
    oneAnswer();
    const client = dial();
    client.write(head('GET'));
    await client.hears(/ok$/);
    client.write(head('POST', [LAST, 'Content-Length: 0']));
    expect(await client.toItsEnd()).toMatch(/ok[^]*HTTP\/1\.1 502 /);
  });
});

test('an app behind TLS is asked for its own certificate, not the site’s', async () => {
  const named: string[] = [];
  const secure = createTlsServer({
    SNICallback: (name, answer) => {
      named.push(name);
      answer(new Error('there is none'));
    },
  }).listen(0, '127.0.0.1');
  await once(secure, 'listening');
  const behindTls = await startStand({ env: { APP_INTERNAL_URL: `https://localhost:${(secure.address() as AddressInfo).port}` } });
  const client = rawConnection(behindTls.url);
  client.write(head('GET', [LAST]).replace(cookie, `vestibule_dev=${(await behindTls.signedIn()).cookies.get('vestibule_dev')}`));
  expect(await client.toItsEnd()).toMatch(/^HTTP\/1\.1 502 /);
  expect(new Set(named)).toEqual(new Set(['localhost']));
  await behindTls.stop();
  secure.close();
});

describe('an app that takes too long', () => {
  const XHR = [LAST, 'Accept: application/json'];

  test('to begin: 504, as a problem with the request id', async () => {
    talk = () => undefined;
    const client = dial();
    client.write(head('GET', [...XHR, 'X-Request-Id: mine-504']));
    const answer = await client.toItsEnd();
    expect(answer).toMatch(/^HTTP\/1\.1 504 /);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'gateway_timeout', request_id: 'mine-504' });
  });

  test('to begin: 504, as a page with the request id', async () => {
    talk = () => undefined;
    const client = dial();
    client.write(head('GET', [LAST, 'Accept: text/html', 'Sec-Fetch-Mode: navigate', 'X-Request-Id: mine-page']));
    const answer = await client.toItsEnd();
    expect(answer).toMatch(/^HTTP\/1\.1 504 /);
    expect(answer).toContain('mine-page');
  });

  test('as a whole: the answer breaks off, so that nobody takes it for the whole', async () => {
    talk = async (connection) => {
      await connection.hears(HEAD_END);
      connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const dripping = setInterval(() => connection.write('1\r\n.\r\n'), 100);
      connection.socket.once('close', () => clearInterval(dripping));
    };
    const client = dial();
    client.write(head('GET'));
    expect(await client.toItsEnd()).not.toMatch(/\r\n0\r\n\r\n$/);
  });

  test('to take the connection: 504 in the time of connect_seconds', async () => {
    const deaf = await startDeafApp();
    const patient = await stand.replica({ APP_INTERNAL_URL: deaf.url, APP_CONNECT_SECONDS: '1', APP_ANSWER_SECONDS: '50', APP_WHOLE_SECONDS: '50' });
    const client = dial(patient.url);
    const asked = performance.now();
    client.write(head('GET', XHR));
    expect(await client.toItsEnd()).toMatch(/^HTTP\/1\.1 504 /);
    expect(performance.now() - asked).toBeLessThan(10_000);
    await patient.proxy.stop();
    await deaf.stop();
  });

  test.each([
    ['15 minutes', {}, 15 * 60],
    ['longer than until the answer may begin', { APP_ANSWER_SECONDS: '1800' }, 1800 + 10 + 60],
    ['longer than an app is waited for', { APP_CONNECT_SECONDS: '1000', APP_ANSWER_SECONDS: '1000' }, 3000 + 60],
    ['longer than an event stream may rest', { APP_IDLE_SECONDS: '3600' }, 3600 + 60],
  ])('the connection of the browser rests %s', async (_rule, env, seconds) => {
    const patient = await stand.replica(env);
    talk = plain('ok');
    const begun = new Promise<unknown>((resolve) => {
      const hear = (message: unknown): void => {
        const { request, socket } = message as { request: IncomingMessage; socket: Socket };
        if (request.url !== '/rests') return;
        unsubscribe('http.server.request.start', hear);
        resolve(socket.timeout);
      };
      subscribe('http.server.request.start', hear);
    });
    const client = dial(patient.url);
    client.write(head('GET', [LAST], '/rests'));
    expect(await begun).toBe(seconds * 1000);
    await client.toItsEnd();
    await patient.proxy.stop();
  });

  test('between two pieces: the answer breaks off in the time of idle_seconds', async () => {
    const patient = await stand.replica({ APP_IDLE_SECONDS: '1', APP_ANSWER_SECONDS: '50', APP_WHOLE_SECONDS: '50' });
    talk = answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', { stays: true });
    const client = dial(patient.url);
    const asked = performance.now();
    client.write(head('GET'));
    expect(await client.toItsEnd()).toMatch(/4\r\nhalf\r\n$/);
    expect(performance.now() - asked).toBeLessThan(10_000);
    await patient.proxy.stop();
  });
});
