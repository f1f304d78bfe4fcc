import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { BlockList } from 'node:net';
import type { z } from 'zod';
import { clientAddress } from '../../platform/client-address.ts';
import type { Clock } from '../../platform/clock.ts';
import { requestIdOf } from '../../platform/http.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import type { Db } from '../db/schema.ts';
import type { Guard } from '../keycloak/service-token.ts';
import type { AccessTokens } from './access-token.ts';
import { giveBillingAccess } from './billing-access.service.ts';
import type { BillingLimits } from './billing-limits.ts';
import type { From } from './caller.ts';
import type { FetchChallenge } from './challenge-fetch.ts';
import { giveUpServer } from './deactivate-server.service.ts';
import { takeReport } from './realm-sync.service.ts';
import { registerServer } from './register-server.service.ts';
import { authenticateServer } from './server-access.service.ts';
import { readBody, refuseQuery } from './server-body.ts';
import { sendServerError, unknownServerEndpoint } from './server-errors.ts';
import { readReportMarks, type RemoteServer } from './server.store.ts';
import { analyticsForm, analyticsReply, billingForm, billingReply, challengeForm, challengeReply, nothing, registerForm, registerReply, statusReply, transferForm, transferReply } from './servers.schemas.ts';
import { realmFromWire, reportFromWire, reportToWire, userFromWire } from './servers.wire.ts';
import { beginTransfer, completeTransfer } from './transfer-server.service.ts';

/** `Bearer` and a service token; `Proxy-Authorization` is refused by fetch and dropped by others. */
const PROXY_AUTHORIZATION_HEADER = 'vestibule-proxy-authorization';
/** Ten thousand rows of each kind at a time. */
const REPORT_LIMIT_BYTES = 16 * 1024 * 1024;

export interface ServerRoutesUsing {
  db: Db;
  clock: Clock;
  log: Log;
  guard: Guard;
  limits: BillingLimits;
  tokens: AccessTokens;
  fetchChallenge: FetchChallenge;
  billingUrl: string;
  proxyClientId: string;
  trustedProxies: BlockList;
}

/** `/api/v1/remotes/…`, as Zulip servers call it: forms in, `{result, msg, …}` out. Newer servers' fields are not ours to refuse. */
export interface ServerRoute {
  method: 'get' | 'post';
  path: string;
  summary: string;
  /** Undefined: whoever asks. */
  basic?: true;
  limitBytes?: number;
  /** Besides a form. */
  json?: true;
  form: z.ZodType;
  reply: z.ZodType;
  answer(call: { form: unknown; server: RemoteServer; from: From }): Promise<unknown>;
}

export function serverRoutes(using: ServerRoutesUsing): readonly ServerRoute[] {
  const { db } = using;
  return [
    serverRoute({
      method: 'post',
      path: '/api/v1/remotes/server/register',
      summary: 'A server introduces itself, or changes its hostname, contact and key.',
      form: registerForm,
      reply: registerReply,
      answer: ({ form, from }) =>
        registerServer(db, using, { id: form.zulip_org_id, key: form.zulip_org_key, hostname: form.hostname, contactEmail: form.contact_email, newKey: form.new_org_key }, from),
    }),
    serverRoute({
      method: 'post',
      path: '/api/v1/remotes/server/register/transfer',
      summary: 'A secret for the host to serve, so that it gets the registration of its hostname.',
      form: transferForm,
      reply: transferReply,
      answer: async ({ form }) => ({ verification_secret: await beginTransfer(db, using, form.hostname) }),
    }),
    serverRoute({
      method: 'post',
      path: '/api/v1/remotes/server/register/verify_challenge',
      summary: 'The host serves the secret: it gets a new key.',
      form: challengeForm,
      reply: challengeReply,
      answer: async ({ form, from }) => {
        const { id, key } = await completeTransfer(db, using, form.hostname, form.access_token, from);
        return { zulip_org_id: id, zulip_org_key: key };
      },
    }),
    serverRoute({
      method: 'post',
      path: '/api/v1/remotes/server/billing',
      summary: 'The address that signs a person of a realm in to billing.',
      basic: true,
      form: billingForm,
      reply: billingReply,
      answer: async ({ form, server, from }) => ({
        billing_access_url: await giveBillingAccess(
          db,
          using,
          server,
          { realm: realmFromWire(form.realm), user: userFromWire(form.user), uriScheme: form.uri_scheme, nextPage: form.next_page ?? null },
          from,
        ),
      }),
    }),
    serverRoute({
      method: 'post',
      path: '/api/v1/remotes/server/analytics',
      summary: 'The realms of a server, and how many people they have.',
      basic: true,
      limitBytes: REPORT_LIMIT_BYTES,
      form: analyticsForm,
      reply: analyticsReply,
      answer: async ({ form, server, from }) => reportToWire(await takeReport(db, using, server.id, reportFromWire(form), from)),
    }),
    serverRoute({
      method: 'get',
      path: '/api/v1/remotes/server/analytics/status',
      summary: 'How far the reports of a server have been taken.',
      basic: true,
      form: nothing,
      reply: statusReply,
      answer: async ({ server }) => {
        const marks = await readReportMarks(db, server.id);
        return { last_realm_count_id: marks.lastRealmCountId, last_installation_count_id: marks.lastInstallationCountId, last_realmauditlog_id: marks.lastRealmauditlogId };
      },
    }),
    serverRoute({
      method: 'post',
      path: '/api/v1/remotes/server/deactivate',
      summary: 'A server gives its registration up.',
      basic: true,
      // `register_server --deactivate` sends `{}`.
      json: true,
      form: nothing,
      reply: nothing,
      answer: async ({ server, from }) => {
        await giveUpServer(db, using, server.id, { kind: 'server', id: server.id }, from);
        return {};
      },
    }),
  ];
}

function serverRoute<Form extends z.ZodType, Reply extends z.ZodType>(
  route: Omit<ServerRoute, 'form' | 'reply' | 'answer'> & {
    form: Form;
    reply: Reply;
    answer(call: { form: z.infer<Form>; server: RemoteServer; from: From }): Promise<z.input<Reply>>;
  },
): ServerRoute {
  return route as ServerRoute;
}

export function mountServerRoutes(using: ServerRoutesUsing): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const routes = serverRoutes(using);
  for (const one of routes) {
    const read = one.method === 'post' ? readBody(one) : [];
    router[one.method](one.path, noTraces, letIn(using, one), refuseQuery, ...read, answering(one), sendServerError);
    router.all(one.path, otherMethods(one.method), sendServerError);
  }
  router.use('/api/v1/remotes', unknownServerEndpoint, sendServerError);
  return router;
}

const noTraces: RequestHandler = (_req, res, next) => {
  res.setHeader('Cache-Control', 'no-store');
  next();
};

/** Before the body is read. */
function letIn(using: ServerRoutesUsing, route: ServerRoute): RequestHandler {
  return async (req, res, next) => {
    const from = { clientAddress: await clientAddressOf(using, req, res), requestId: requestIdOf(res) };
    res.locals['from'] = from;
    if (route.basic) res.locals['server'] = await authenticateServer(using.db, using, basicCredentials(req.headers.authorization), from);
    next();
  };
}

function answering(route: ServerRoute): RequestHandler {
  return async (req, res) => {
    const parsed = route.form.safeParse(route.method === 'get' ? {} : (req.body ?? {}));
    if (!parsed.success) throw new AppError('invalid_request', parsed.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': ')).slice(0, 5).join('; '));
    const reply = await route.answer({ form: parsed.data, server: res.locals['server'] as RemoteServer, from: res.locals['from'] as From });
    res.json({ result: 'success', msg: '', ...(route.reply.parse(reply) as object) });
  };
}

function otherMethods(method: string): RequestHandler {
  return (_req, res) => {
    res.setHeader('Allow', method === 'get' ? 'GET, HEAD' : 'POST');
    throw new AppError('method_not_allowed', 'Method Not Allowed');
  };
}

function basicCredentials(header: string | undefined): { id: string; key: string } {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]{1,1000}={0,2})$/i.exec(header ?? '') ?? [];
  const written = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString();
  const colon = written.indexOf(':');
  if (colon < 0) throw new AppError('unauthorized', 'Missing authorization header for basic auth');
  const [id, key] = [written.slice(0, colon), written.slice(colon + 1)];
  if (id.includes('@')) throw new AppError('invalid_request', 'Must validate with valid Zulip server API key');
  return { id: id.toLowerCase(), key };
}

/** `Authorization` is the server's here: our proxy proves itself in a header of its own. */
async function clientAddressOf(using: ServerRoutesUsing, req: Request, res: Response): Promise<string> {
  const authorization = req.headers[PROXY_AUTHORIZATION_HEADER];
  const asProxy = Object.create(req, { headers: { value: { ...req.headers, authorization } } }) as Request;
  const believed = await using.guard.isFrom(using.proxyClientId, asProxy, res).catch((cause: unknown) => {
    throw new AppError('proxy_unauthorized', 'The token of the proxy is not valid.', { cause });
  });
  return clientAddress(req, using.trustedProxies, believed);
}
