import { findProgram } from '../../dev/debian-program.ts';
import { NGINX } from '../../dev/gateways.ts';
import { randomBytes } from 'node:crypto';
import { freePortBase } from '../../dev/ports.ts';
import { freshDatabase } from '../../test/support/database.ts';
import type { Call } from '../load/load.ts';
import type { Service, Stand } from '../stand.ts';
import { inspectable } from './inspector.ts';
import { installPeers } from './peers/install.ts';
import { nginxArguments } from './peers/nginx.ts';
import { OAUTH2_PROXY, startOauth2Proxy } from './peers/oauth2-proxy.ts';
import { peerCookie } from './peers/session-cookie.ts';
import { fillSessions, sessionId } from './sessions.ts';

export const HOST = 'proxy.test';
const KEYCLOAK = 'https://keycloak.test';
const CLIENT_ID = 'vestibule-proxy';
export const FEW_SESSIONS = 100;
const MOST_COOKIES = 10_000;

export type Name = 'pass-through' | 'proxy' | 'forward auth' | 'proxy with many sessions' | 'forward auth with many sessions' | 'express-openid-connect' | 'express-openid-connect, forward auth' | 'oauth2-proxy' | 'oauth2-proxy, forward auth' | 'nginx in front of ours';

export interface Contender {
  name: Name;
  service: Service;
  /** Processes whose work is counted. */
  pids: readonly number[];
  sessions: number;
  /** The request of the n-th session. The pass-through gets the same ones as ours, and asks for no session. */
  call(n: number): Call;
  /** Of its answers; 200 where it does not say. */
  status?: number;
}

export interface Contenders {
  all: readonly Contender[];
  /** Those of our code. */
  ours: readonly Contender[];
  /** With the port at which its memory can be looked into. */
  few: { contender: Contender; port: number };
  many: { contender: Contender; port: number };
  /** Why one of them is missing. */
  missing: readonly string[];
}

const GATEWAY = { 'x-forwarded-uri': '/reports', 'x-forwarded-method': 'GET', 'x-forwarded-host': HOST };

/** Everything that is compared, on the same app, ready to answer. Each in a process of its own: nobody has one for both ways, and V8 compiles for what it sees. */
export async function prepare(stand: Stand, manySessions: number): Promise<Contenders> {
  const app = await stand.start('bench/proxy/app.ts', {}, '/');
  const passThrough = await stand.start('bench/proxy/pass-through.ts', { APP_INTERNAL_URL: app.url }, '/');
  const [fewDatabase, manyDatabase] = [await sessionsIn(FEW_SESSIONS), await sessionsIn(manySessions)];
  // Nobody listens there until the end, and nobody else may come to until then.
  const port = await freePortBase();
  const [few, many] = [
    { service: await startProxy(stand, app, fewDatabase, inspectable(port)), port },
    { service: await startProxy(stand, app, manyDatabase, inspectable(port + 1)), port: port + 1 },
  ];
  const [fewAsked, manyAsked, nginxAsks] = [await startProxy(stand, app, fewDatabase), await startProxy(stand, app, manyDatabase), await startProxy(stand, app, fewDatabase)];
  const proxy = ours('proxy', few.service, FEW_SESSIONS);
  const large = ours('proxy with many sessions', many.service, manySessions);
  const nginx = findProgram(NGINX);
  const behindNginx = nginx && (await stand.startProgram(nginx, ({ port, folder }) => nginxArguments(folder, { port, proxy: nginxAsks.url, app: app.url }), '/livez'));
  const oauth2Proxy = findProgram(OAUTH2_PROXY);
  const ofOurs = [
    ours('pass-through', passThrough, FEW_SESSIONS),
    proxy,
    ours('forward auth', fewAsked, FEW_SESSIONS, { path: '/api/auth', headers: GATEWAY }),
    large,
    ours('forward auth with many sessions', manyAsked, manySessions, { path: '/api/auth', headers: GATEWAY }),
  ];
  return {
    all: [
      ...ofOurs,
      ...(await startExpressPeer(stand, app)),
      ...(oauth2Proxy ? await startOauth2Peer(stand, oauth2Proxy, app) : []),
      ...(behindNginx ? [ours('nginx in front of ours', behindNginx, FEW_SESSIONS, { pids: [behindNginx.pid, nginxAsks.pid] })] : []),
    ],
    ours: ofOurs,
    few: { contender: proxy, port: few.port },
    many: { contender: large, port: many.port },
    missing: [...(behindNginx ? [] : ['nginx is not there: install it, or set NGINX_BIN']), ...(oauth2Proxy ? [] : ['oauth2-proxy is not there: set OAUTH2_PROXY_BIN'])],
  };
}

function ours(name: Name, service: Service, sessions: number, to: { path?: string; headers?: Record<string, string>; pids?: number[] } = {}): Contender {
  return {
    name,
    service,
    pids: to.pids ?? [service.pid],
    sessions,
    call: (n) => ({ method: 'GET', path: to.path ?? '/reports', headers: { host: HOST, ...to.headers, cookie: `__Host-vestibule=${sessionId(n)}` } }),
  };
}

/** A round's requests: of sessions drawn anew. */
export function drawCalls({ sessions, call }: Contender): Call[] {
  return Array.from({ length: Math.min(sessions, MOST_COOKIES) }, () => call(Math.floor(Math.random() * sessions)));
}

async function startExpressPeer(stand: Stand, app: Service): Promise<readonly Contender[]> {
  const folder = installPeers();
  const cookies = Array.from({ length: FEW_SESSIONS }, (_, n) => peerCookie(folder, n));
  const peer = async (name: Name, path: string): Promise<Contender> => {
    const service = await stand.start('bench/proxy/peers/express-openid-connect.ts', { APP_INTERNAL_URL: app.url, PEERS: folder, NODE_ENV: 'production' }, '/livez');
    return {
      name,
      service,
      pids: [service.pid],
      sessions: FEW_SESSIONS,
      call: (n) => ({ method: 'GET', path, headers: { host: HOST, cookie: cookies[n] ?? '' } }),
    };
  };
  return [await peer('express-openid-connect', '/reports'), await peer('express-openid-connect, forward auth', '/api/auth')];
}

async function startOauth2Peer(stand: Stand, file: string, app: Service): Promise<readonly Contender[]> {
  const { service, cookies } = await startOauth2Proxy(stand, file, app.url, FEW_SESSIONS);
  const peer = (name: Name, path: string, status: number): Contender => ({
    name,
    service,
    pids: [service.pid],
    sessions: FEW_SESSIONS,
    call: (n) => ({ method: 'GET', path, headers: { host: HOST, cookie: cookies[n] ?? '' } }),
    status,
  });
  return [peer('oauth2-proxy', '/reports', 200), peer('oauth2-proxy, forward auth', '/oauth2/auth', 202)];
}

/** Where the sessions are; answers with the address that the proxy gets. */
async function sessionsIn(count: number): Promise<string> {
  const database = await freshDatabase();
  await fillSessions(database.adminUrl, { site: HOST, issuer: `${KEYCLOAK}/realms/vestibule`, clientId: CLIENT_ID }, count);
  return database.proxyUrl;
}

function startProxy(stand: Stand, app: Service, databaseUrl: string, env: Readonly<Record<string, string>> = {}): Promise<Service> {
  return stand.start(
    'proxy/main.ts',
    {
      ...env,
      PROXY_PUBLIC_URL: `https://${HOST}`,
      PROXY_DATABASE_URL: databaseUrl,
      PROXY_CLIENT_ID: CLIENT_ID,
      PROXY_CLIENT_SECRET: 'not used here',
      KEYCLOAK_PUBLIC_URL: KEYCLOAK,
      SESSION_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      BRIDGE_INTERNAL_URL: 'http://127.0.0.1:9',
      APP_INTERNAL_URL: app.url,
      CONTACT_URL: 'https://example.com/contact',
      TRUSTED_PROXIES: '127.0.0.1',
      FORWARD_AUTH: 'true',
    },
    '/livez',
  );
}
