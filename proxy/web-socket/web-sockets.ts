import type { IncomingMessage } from 'node:http';
import type { BlockList } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { clientAddress } from '../../platform/client-address.ts';
import type { Log } from '../../platform/log.ts';
import { AppError, toProblem } from '../../platform/problem.ts';
import { REQUEST_ID_HEADER, requestIdFrom } from '../../platform/request-id.ts';
import { pathOf, targetFault } from '../../platform/request-target.ts';
import type { IdentityTokens } from '../identity/identity-token.ts';
import { isReserved } from '../request-target.ts';
import { currentSession, type Session } from '../session/session.service.ts';
import type { SessionWatch, WhyOver } from '../session/watch-sessions.ts';
import { chooseSite, type ServedSite } from '../site/served-site.ts';
import { mayPass, notAllowed, ruleFor, type UpstreamRule } from '../site/site.ts';
import { stillPreparing } from '../trial/preparing.ts';
import { headersForApp } from '../upstream/headers.ts';
import { dialApp } from './dial-app.ts';
import { assertHandshake, WEB_SOCKET_VERSION } from './handshake.ts';
import { joinSockets, type Tunnel } from './tunnel.ts';

/** Private codes (RFC 6455 7.4.2), and 1013: try again later. */
const CODES: Readonly<Record<WhyOver, number>> = { session_over: 4401, trial_over: 4403, not_allowed: 4403, unknown: 1013 };
const GOING_AWAY = 1001;
const LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024;

export interface WebSocketParts {
  sites: readonly ServedSite[];
  trustedProxies: BlockList;
  identity: IdentityTokens;
  watch: SessionWatch;
  log: Log;
}

export interface WebSockets {
  onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  stop(): void;
}

/**
 * Web-sockets of signed-in people, joined to the app and watched: they close with 4401 when the session ends and with 4403 when the
 * trial does or a right was taken, whoever ended it on whichever replica. An upgrade needs our own Origin: browsers send cookies with anybody's (SECURITY.md 24).
 */
export function webSockets(parts: WebSocketParts): WebSockets {
  const tunnels = new Set<Tunnel>();
  let isStopped = false;
  const protocols = new WeakMap<IncomingMessage, string>();
  const server = new WebSocketServer({ noServer: true, maxPayload: LARGEST_MESSAGE_BYTES, handleProtocols: (_offered, req) => protocols.get(req) || false });

  const upgrade = async (req: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): Promise<void> => {
    const { site, session, rule } = await admit(parts, req);
    const identityToken = await parts.identity.tokenFor(session, site.publicUrl);
    const passage = { clientAddress: clientAddress(req, parts.trustedProxies), requestId, public: site, identityToken };
    const app = await dialApp(rule, req, headersForApp(req.rawHeaders, session, passage), LARGEST_MESSAGE_BYTES);
    if (socket.destroyed || isStopped) app.terminate();
    if (socket.destroyed) return;
    if (isStopped) throw new AppError('unavailable', 'Dial again: this replica is about to stop.');
    protocols.set(req, app.protocol);
    let isOpen = false;
    // Called at once, or never, when the browser has hung up.
    server.handleUpgrade(req, socket, head, (client) => {
      isOpen = true;
      watch({ site, session, rule }, joinSockets(client, app));
      parts.log.info({ request_id: requestId, path: pathOf(req.url ?? '') }, 'web-socket opened');
    });
    if (!isOpen) app.terminate();
  };

  const watch = ({ site, session, rule }: Admitted, tunnel: Tunnel): void => {
    tunnels.add(tunnel);
    const leave = parts.watch.watch({ keeping: site.sessions, session, mayGoOn: (now) => mayPass(rule, now), wasUsed: tunnel.wasUsed, end: (why) => tunnel.close(CODES[why]) });
    tunnel.onClose(() => {
      tunnels.delete(tunnel);
      leave();
    });
  };

  return {
    onUpgrade: (req, socket, head) => {
      const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
      req.headers[REQUEST_ID_HEADER] = requestId;
      socket.on('error', () => socket.destroy());
      upgrade(req, socket, head, requestId).catch((error: unknown) => refuse(socket, error, requestId));
    },
    stop: () => {
      isStopped = true;
      for (const tunnel of tunnels) tunnel.close(GOING_AWAY);
    },
  };
}

interface Admitted {
  site: ServedSite;
  session: Session;
  rule: UpstreamRule;
}

/** The same doors as for requests, and the Origin. Throws what is wrong. */
async function admit(parts: WebSocketParts, req: IncomingMessage): Promise<Admitted> {
  const target = req.url ?? '';
  const site = chooseSite(parts.sites, req, parts.trustedProxies);
  if (!site) throw new AppError('misdirected_request', 'Check the host name: no site of this proxy has it.');
  const fault = targetFault(target);
  if (fault !== undefined) throw new AppError('invalid_request', `This address is refused: ${fault}.`);
  if (isReserved(target)) throw new AppError('not_found', 'Check the address.');
  assertHandshake(req);
  if (req.headers.origin !== site.publicUrl) throw new AppError('forbidden', `Open web-sockets from pages of ${site.publicUrl}.`);
  const session = await currentSession(site.sessions, req.headers.cookie);
  if (!session) throw new AppError('unauthorized', `Sign in at ${site.publicUrl}/api/login.`);
  if (session.preparing) throw stillPreparing();
  const rule = ruleFor(site.rules, pathOf(target));
  if (!rule) throw new AppError('not_found', 'Check the address.');
  if (!mayPass(rule, session)) throw notAllowed();
  return { site, session, rule };
}

function refuse(socket: Duplex, error: unknown, requestId: string): void {
  const problem = toProblem(error, requestId);
  const body = JSON.stringify(problem);
  const head = [`HTTP/1.1 ${problem.status} ${problem.title}`, 'Content-Type: application/problem+json', `Content-Length: ${Buffer.byteLength(body)}`, 'Cache-Control: no-store', `X-Request-Id: ${requestId}`, `Sec-WebSocket-Version: ${WEB_SOCKET_VERSION}`, 'Connection: close'];
  // The client may keep its end open for ever.
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
