import { json, Router, type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { logOf } from '../../platform/http.ts';
import { AppError, type ProblemCode } from '../../platform/problem.ts';
import { callerMillisecondsLeft, STEPS_CLIENT_ID, wayOf, type Caller, type Guard } from '../keycloak/service-token.ts';
import { measureRoute, setOutcome } from '../metrics/measure.ts';
import type { Meter, Step } from '../metrics/meter.ts';
import { sendEvents, untilClosed, type StreamEvent } from './event-stream.ts';
import { demandType } from './media-type.ts';
import { countWrittenFields, refuseRepeatedFields } from './unique-fields.ts';

const BODY_LIMIT_BYTES = 16 * 1024;
/** Of a route that declares none. */
const NO_QUERY = z.strictObject({});

interface Asked<Body extends z.ZodType, Query extends z.ZodType, Params extends z.ZodType> {
  params: z.infer<Params>;
  body: z.infer<Body>;
  query: z.infer<Query>;
  req: Request;
  res: Response;
  outcome: (one: string) => void;
}

export interface RouteDeclaration<Body extends z.ZodType, Query extends z.ZodType, Reply extends z.ZodType, Params extends z.ZodType> {
  method: 'get' | 'post' | 'delete';
  /** `:name` for what `params` reads. */
  path: string;
  params?: Params;
  /** Other paths that do the same. */
  aliases?: readonly string[];
  summary: string;
  caller: 'anybody' | Caller;
  /** Counted under this name, with what `outcome` was told or the problem's code. */
  step?: Step;
  body?: Body;
  query?: Query;
  /** Of headers, by their names in lower case; read by the handler, described for programs. */
  headers?: z.ZodObject;
  /** The status of success and what it carries; every other status is a problem. */
  status: 200 | 202;
  reply: Reply;
  problems: readonly ProblemCode[];
  /** Runs first, for every method of this path. */
  before?: RequestHandler;
  answer(request: Asked<Body, Query, Params>): Promise<z.input<Reply>>;
}

/** Server-sent events instead of one answer: `reply` is what each carries. */
type StreamDeclaration<Query extends z.ZodType, Reply extends z.ZodType> = Omit<RouteDeclaration<z.ZodUndefined, Query, Reply, z.ZodUndefined>, 'answer'> & {
  /** `signal` aborts when whoever asked is gone, or may no longer ask. */
  events(request: Asked<z.ZodUndefined, Query, z.ZodUndefined> & { signal: AbortSignal }): AsyncIterable<StreamEvent>;
};

/** A declared route, its own types forgotten. Several of one method and path are ways of one endpoint: the caller decides. */
export type Route = Omit<RouteDeclaration<z.ZodType, z.ZodType, z.ZodType, z.ZodType>, 'answer'> & {
  /** Whether it answers with a stream of `reply`, and has sent it when `answer` is done. */
  streams?: boolean;
  answer(request: Asked<z.ZodType, z.ZodType, z.ZodType>): Promise<unknown>;
};

export function route<Reply extends z.ZodType, Body extends z.ZodType = z.ZodUndefined, Query extends z.ZodType = z.ZodUndefined, Params extends z.ZodType = z.ZodUndefined>(
  declaration: RouteDeclaration<Body, Query, Reply, Params>,
): Route {
  return declaration as unknown as Route;
}

export function streamRoute<Reply extends z.ZodType, Query extends z.ZodType>({ events, ...declaration }: StreamDeclaration<Query, Reply>): Route {
  return {
    ...(declaration as unknown as Route),
    streams: true,
    answer: async (asked) => {
      const { req, res } = asked;
      if (req.method === 'HEAD') return void res.type('text/event-stream').end();
      const signal = AbortSignal.any([untilClosed(res), AbortSignal.timeout(callerMillisecondsLeft(res))]);
      return sendEvents(res, events({ ...asked, query: asked.query as z.infer<Query>, body: undefined, params: undefined, signal }), signal).catch((error: unknown) => {
        if (!res.headersSent) throw error;
        logOf(res).warn({ err: error }, 'a stream broke off');
        res.destroy();
      });
    },
  };
}

/** Mounts declared routes: the caller first, then the body, then the handler; other methods of their paths get 405. */
export function mountRoutes(routes: readonly Route[], guard: Guard, meter: Meter, options: { checkAnswers: boolean }): Router {
  const router = Router({ caseSensitive: true, strict: true });
  // What is named in full is no `:id`, by no method.
  const { open = [], named = [] } = Object.groupBy(routes, ({ path }) => (path.includes(':') ? 'open' : 'named'));
  for (const some of [named, open]) mountSome(router, some, guard, meter, options);
  return router;
}

function mountSome(router: Router, routes: readonly Route[], guard: Guard, meter: Meter, options: { checkAnswers: boolean }): void {
  for (const [one, ...others] of endpoints(routes)) {
    const ways = [one, ...others];
    const callers = ways.flatMap(({ caller }) => (caller === 'anybody' ? [] : [caller]));
    const taken = (res: Response) => ways.find(({ caller }) => caller === wayOf(res)) ?? one;
    for (const path of [one.path, ...(one.aliases ?? [])]) {
      const handlers = [
        measureRoute(meter, path, (res) => ({ step: taken(res).step, fromKeycloak: isForSteps(taken(res)) })),
        ...(callers.length === 0 ? [] : [guard.demand(callers)]),
        ...(one.body === undefined ? [] : [demandType('application/json'), json({ limit: BODY_LIMIT_BYTES, type: () => true, verify: countWrittenFields }), refuseRepeatedFields]),
        answering(taken, options.checkAnswers),
      ];
      if (one.before !== undefined) router.all(path, one.before);
      router[one.method](path, noTraces, ...handlers);
    }
  }
  for (const [path, allowed] of methodsByPath(routes)) {
    router.all(path, (req, res) => {
      res.setHeader('Allow', allowed.join(', '));
      throw new AppError('method_not_allowed', `Use ${allowed.join(' or ')} instead of ${req.method}.`);
    });
  }
}

/** The routes of each method and path. */
export function endpoints(routes: readonly Route[]): readonly [Route, ...Route[]][] {
  return [...Map.groupBy(routes, ({ method, path }) => `${method} ${path}`).values()] as [Route, ...Route[]][];
}

function isForSteps({ caller }: Route): boolean {
  return caller !== 'anybody' && caller.clientId === STEPS_CLIENT_ID;
}

/** Answers of this API carry or take tokens (SECURITY.md 10). */
const noTraces: RequestHandler = (_req, res, next) => {
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Referrer-Policy', 'no-referrer');
  next();
};

function answering(taken: (res: Response) => Route, checkAnswers: boolean): RequestHandler {
  return async (req, res) => {
    const one = taken(res);
    const params = parse(one.params, req.params);
    const body = parse(one.body, req.body);
    const query = parse(one.query ?? NO_QUERY, req.query);
    parse(one.headers, req.headers);
    const reply = await one.answer({ params, body, query, req, res, outcome: (outcome) => setOutcome(res, outcome) });
    if (one.streams) return;
    if (checkAnswers) one.reply.parse(reply);
    res.status(one.status).json(reply);
  };
}

function parse(schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': '));
  throw new AppError('invalid_request', faults.slice(0, 5).join('; '), { field: parsed.error.issues[0]?.path.join('.') || undefined });
}

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, readonly string[]> {
  const methods = new Map<string, string[]>();
  for (const [one] of endpoints(routes)) {
    const allowed = one.method === 'get' ? ['GET', 'HEAD'] : [one.method.toUpperCase()];
    for (const path of [one.path, ...(one.aliases ?? [])]) methods.set(path, [...(methods.get(path) ?? []), ...allowed]);
  }
  return methods;
}
