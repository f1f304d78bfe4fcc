import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { formsIn, httpBrowser } from '../../platform/http-browser.ts';

const PAGE = `<form id="one" action="/go?a=1&amp;b=2" method="post">
<input name="email" value="a&amp;b@example.com" disabled><input type="hidden" name="t" value="&quot;x&quot;"><input type="checkbox" name="on" checked><input type="checkbox" name="off">
<input name="note" value="never disabled"><select name="lang"><option value="en"><option value="fr" selected></select><button name="b">x</button></form><a href="/next?x=1&amp;y=2">n</a>`;

let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer((req, res) => {
    if (req.url === '/set') return res.writeHead(302, { Location: '/show', 'Set-Cookie': ['s=1; Secure; Path=/', 'p=2; Max-Age=60; Path=/show', 'gone=3; Max-Age=0'] }).end();
    if (req.url === '/away') return res.writeHead(302, { Location: 'http://localhost:1/returned?code=c#d' }).end();
    if (req.url?.startsWith('/go')) return req.setEncoding('utf8').on('data', (body) => res.end(`${req.method} ${req.url} ${body}`));
    return res.end(req.url === '/show' ? String(req.headers.cookie) : PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://localhost:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('cookies are kept over redirects, Secure ones on localhost too; a restart forgets those of the session', async () => {
  const browser = httpBrowser();
  expect((await browser.get(`${origin}/set`)).body).toBe('s=1; p=2');
  browser.restart();
  expect((await browser.get(`${origin}/show`)).body).toBe('p=2');
});

test('a form is posted as a browser posts it', async () => {
  const browser = httpBrowser();
  const sent = await browser.submit(await browser.get(origin), { note: 'hello' });
  expect(sent.body).toBe('POST /go?a=1&b=2 t=%22x%22&on=on&note=hello&lang=fr');
});

test('a link is found by its address', async () => {
  expect((await httpBrowser().get(origin)).link(/next/)).toBe(`${origin}/next?x=1&y=2`);
});

describe('an address where nobody listens', () => {
  test('is where a redirect ends', async () => {
    expect(await httpBrowser().get(`${origin}/away`)).toMatchObject({ status: 0, url: 'http://localhost:1/returned?code=c#d' });
  });

  test('is an error when asked for', async () => {
    await expect(httpBrowser().get('http://localhost:1/')).rejects.toThrow('fetch failed');
  });
});

test('forms without an action lead to the page itself', () => {
  expect(formsIn('<form><input name="q"></form>', 'http://localhost/x')).toEqual([{ id: undefined, page: 'http://localhost/x', action: 'http://localhost/x', method: 'GET', fields: { q: '' } }]);
});
