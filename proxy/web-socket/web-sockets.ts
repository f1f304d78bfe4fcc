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
import { sessionKey, type LiveSessions } from '../session/live-sessions.ts';
import { currentSession, expiryOf, lookAtSession, type Session } from '../session/session.service.ts';
import { chooseSite, type ServedSite } from '../site/served-site.ts';
import { mayPass, notAllowed, ruleFor } from '../site/site.ts';
import { stillPreparing } from '../trial/preparing.ts';
import { headersForApp } from '../upstream/headers.ts';
import { dialApp } from './dial-app.ts';
import { joinSockets, type Tunnel } from './tunnel.ts';

/** Private codes (RFC 6455 7.4.2): the session is over, or the trial is. */
const SESSION_OVER = 4401;
const TRIAL_OVER = 4403;
const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;
const LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024;
/** A session is looked at that often at the latest, also to write down that its person was active. */
const LOOK_EVERY_MILLISECONDS = 30_000;
const LOOKS_PER_IDLE_LIMIT = 10;

export interface WebSocketParts {
  sites: readonly ServedSite[];
  trustedProxies: BlockList;
  identity: IdentityTokens;
  live: LiveSessions;
  log: Log;
}

export interface WebSockets {
  onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  stop(): void;
}

interface Watched {
  site: ServedSite;
  tunnel: Tunnel;
  /** As it was last seen. */
  session: Session;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Web-sockets of signed-in people, joined to the app and watched: they close with 4401 when the session ends and with 4403 when the
 * trial does, whoever ended it on whichever replica. An upgrade needs our own Origin: browsers send cookies with anybody's (SECURITY.md 24).
 */
export function webSockets(parts: WebSocketParts): WebSockets {
  const watched = new Map<string, Set<Watched>>();
  const protocols = new WeakMap<IncomingMessage, string>();
  const server = new WebSocketServer({ noServer: true, maxPayload: LARGEST_MESSAGE_BYTES, handleProtocols: (_offered, req) => protocols.get(req) || false });

  const upgrade = async (req: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): Promise<void> => {
    const { site, session, to } = await admit(parts, req);
    const identityToken = await parts.identity.tokenFor(session, site.publicUrl);
    const passage = { clientAddress: clientAddress(req, parts.trustedProxies), requestId, public: site, identityToken };
    const app = await dialApp(to, req, headersForApp(req.rawHeaders, session, passage), LARGEST_MESSAGE_BYTES);
    if (socket.destroyed) return app.terminate();
    protocols.set(req, app.protocol);
    server.handleUpgrade(req, socket, head, (client) => watch(site, session, joinSockets(client, app)));
    parts.log.info({ request_id: requestId, path: pathOf(req.url ?? '') }, 'web-socket opened');
  };

  const watch = (site: ServedSite, session: Session, tunnel: Tunnel): void => {
    const one: Watched = { site, tunnel, session, timer: undefined };
    const key = sessionKey(session.idHash);
    const ofSession = watched.get(key) ?? new Set();
    watched.set(key, ofSession.add(one));
    tunnel.onClose(() => {
      clearTimeout(one.timer);
      ofSession.delete(one);
      if (ofSession.size === 0 && watched.get(key) === ofSession) watched.delete(key);
    });
    lookLater(one);
  };

  const lookLater = (one: Watched): void => {
    const { clock, limits } = one.site.sessions;
    const untilEnd = expiryOf(one.session, limits).getTime() - clock.now().getTime();
    one.timer = setTimeout(() => void look(one), Math.max(0, Math.min(untilEnd, LOOK_EVERY_MILLISECONDS, limits.idleMilliseconds / LOOKS_PER_IDLE_LIMIT)));
  };

  /** What the person sent since the last look counts as a request. */
  const look = async (one: Watched): Promise<void> => {
    clearTimeout(one.timer);
    try {
      const session = await lookAtSession(one.site.sessions, one.session.idHash, { active: one.tunnel.wasUsed() });
      if (!session) return one.tunnel.close((await isTrialOver(one)) ? TRIAL_OVER : SESSION_OVER);
      one.session = session;
      lookLater(one);
    } catch {
      one.tunnel.close(TRY_AGAIN_LATER);
    }
  };

  parts.live.onForgotten((key) => {
    for (const one of watched.get(key) ?? []) void look(one);
  });

  return {
    onUpgrade: (req, socket, head) => {
      const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
      req.headers[REQUEST_ID_HEADER] = requestId;
      socket.on('error', () => socket.destroy());
      upgrade(req, socket, head, requestId).catch((error: unknown) => refuse(socket, error, requestId));
    },
    stop: () => {
      for (const ofSession of watched.values()) for (const one of ofSession) one.tunnel.close(GOING_AWAY);
    },
  };
}

/** The same doors as for requests, and the Origin. Throws what is wrong. */
async function admit(parts: WebSocketParts, req: IncomingMessage): Promise<{ site: ServedSite; session: Session; to: string }> {
  const target = req.url ?? '';
  const site = chooseSite(parts.sites, req, parts.trustedProxies);
  if (!site) throw new AppError('misdirected_request', 'Check the host name: no site of this proxy has it.');
  const fault = targetFault(target);
  if (fault !== undefined) throw new AppError('invalid_request', `This address is refused: ${fault}.`);
  if (isReserved(target)) throw new AppError('not_found', 'Check the address.');
  if (req.headers.origin !== site.publicUrl) throw new AppError('forbidden', `Open web-sockets from pages of ${site.publicUrl}.`);
  const session = await currentSession(site.sessions, req.headers.cookie);
  if (!session) throw new AppError('unauthorized', `Sign in at ${site.publicUrl}/api/login.`);
  if (session.preparing) throw stillPreparing();
  const rule = ruleFor(site.rules, pathOf(target));
  if (!rule) throw new AppError('not_found', 'Check the address.');
  if (!mayPass(rule, session)) throw notAllowed();
  return { site, session, to: rule.to };
}

/** By the end that was told last: it may have come nearer since the socket was opened. */
async function isTrialOver({ session, site }: Watched): Promise<boolean> {
  const { live, clock } = site.sessions;
  const { trial } = (await live.find(session.idHash).catch(() => undefined)) ?? session;
  return trial?.accessUntil != null && clock.now() >= trial.accessUntil;
}

function refuse(socket: Duplex, error: unknown, requestId: string): void {
  const problem = toProblem(error, requestId);
  const body = JSON.stringify(problem);
  const head = [`HTTP/1.1 ${problem.status} ${problem.title}`, 'Content-Type: application/problem+json', `Content-Length: ${Buffer.byteLength(body)}`, 'Cache-Control: no-store', `X-Request-Id: ${requestId}`, 'Connection: close'];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
