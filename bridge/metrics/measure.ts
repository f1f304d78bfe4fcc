import type { RequestHandler, Response } from 'express';
import { problemOf } from '../../platform/http.ts';
import { secondsSince } from '../../platform/metrics.ts';
import type { Meter, Step } from './meter.ts';

/** Counts every answer by its route pattern: what was asked for may hold anything. */
export function countRequests(meter: Meter): RequestHandler {
  return (req, res, next) => {
    res.once('close', () => {
      const route = (req.route as { path: string } | undefined)?.path ?? 'none';
      const problem = problemOf(res);
      meter.request(req.method, route, res.statusCode);
      if (problem !== undefined) meter.refusal(route, problem);
    });
    next();
  };
}

/** Counts what came of one route of a sign-up, and times it where Keycloak, and so a person, waits for it. */
export function measureRoute(meter: Meter, path: string, routeOf: (res: Response) => { step: Step | undefined; fromKeycloak: boolean }): RequestHandler {
  return (_req, res, next) => {
    const started = performance.now();
    res.once('close', () => {
      const outcome = res.writableFinished ? (problemOf(res) ?? outcomeOf(res)) : 'aborted';
      const route = routeOf(res);
      if (route.step !== undefined) meter.step(route.step, outcome);
      if (route.fromKeycloak) meter.keycloakCall(path, outcome, secondsSince(started));
    });
    next();
  };
}

export function setOutcome(res: Response, outcome: string): void {
  res.locals['outcome'] = outcome;
}

function outcomeOf(res: Response): string {
  return String(res.locals['outcome'] ?? 'answered');
}
