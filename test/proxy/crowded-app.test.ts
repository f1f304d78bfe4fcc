import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { rawApp, rawConnection, type RawConnection } from './support/raw.ts';
import { startStand, type Stand } from './support/stand.ts';

/** An app with two places, both taken by event streams. */
let stand: Stand;
let app: Awaited<ReturnType<typeof rawApp>>;
let cookie: string;
const asked: { path: string; connection: RawConnection }[] = [];
const dialled: RawConnection[] = [];

beforeAll(async () => {
  app = await rawApp(async (connection) => {
    const [, path = ''] = /^GET (\S+)/.exec(await connection.hears(/\r\n\r\n/)) ?? [];
    asked.push({ path, connection });
    connection.write(path === '/events' ? 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n' : 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    if (path !== '/events') connection.socket.end();
  });
  stand = await startStand({ env: { APP_INTERNAL_URL: app.url, APP_CONNECTIONS: '2', APP_CONNECT_SECONDS: '1.5' } });
  cookie = `vestibule_dev=${(await stand.signedIn()).cookies.get('vestibule_dev')}`;
});
afterAll(async () => {
  await stand.stop();
  await app.stop();
});
afterEach(async () => {
  const [sockets, ofApp] = [dialled.splice(0), asked.splice(0)];
  for (const { socket } of sockets) socket.destroy();
  await Promise.all(ofApp.map(({ connection: { socket } }) => socket.closed || once(socket, 'close')));
});

function ask(path: string): RawConnection {
  const connection = rawConnection(stand.url);
  dialled.push(connection);
  connection.write(`GET ${path} HTTP/1.1\r\nHost: any\r\nAccept: application/json\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`);
  return connection;
}

async function takeBothPlaces(): Promise<[RawConnection, RawConnection]> {
  const streams: [RawConnection, RawConnection] = [ask('/events'), ask('/events')];
  await Promise.all(streams.map((one) => one.hears(/^HTTP\/1\.1 200 /)));
  return streams;
}

const brokenOff = () => stand.log().split('\n').filter((line) => line.includes('/events') && line.includes('"aborted":true')).length;
const heardOf = (path: string) => asked.filter((one) => one.path === path).length;

test('whoever comes then gets 503 in the time of connect_seconds, and the app never hears of it', async () => {
  const [stream] = await takeBothPlaces();
  const answer = await ask('/late').toItsEnd();
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'unavailable', detail: 'Try again in a minute.' });
  expect(stand.log()).toContain('APP_CONNECTIONS');
  stream.socket.destroy();
  expect(await ask('/next').toItsEnd()).toMatch(/ok$/);
  expect([heardOf('/late'), heardOf('/next')]).toEqual([0, 1]);
});

test('a place that comes free is the next one’s', async () => {
  const [stream] = await takeBothPlaces();
  const waiting = ask('/waits').toItsEnd();
  stream.socket.destroy();
  expect(await waiting).toMatch(/ok$/);
});

test('of who went away while waiting the app never hears', async () => {
  const [stream] = await takeBothPlaces();
  const before = stand.log().length;
  ask('/gone').socket.end();
  await eventually(() => stand.log().slice(before).includes('/gone'));
  stream.socket.destroy();
  expect(await ask('/next').toItsEnd()).toMatch(/ok$/);
  expect(heardOf('/gone')).toBe(0);
});

test('an answer that was broken off is logged once', async () => {
  const [stream] = await takeBothPlaces();
  const before = brokenOff();
  stream.socket.destroy();
  await ask('/next').toItsEnd();
  await eventually(() => brokenOff() > before);
  expect(brokenOff()).toBe(before + 1);
});
