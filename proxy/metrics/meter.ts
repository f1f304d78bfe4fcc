import { Counter, type Registry } from 'prom-client';
import { durations } from '../../platform/metrics.ts';
import type { FinishedLogin } from '../login/login.service.ts';

/** `app`: passed to the app; `forwarded`: passed to the bridge; `page`: answered here. */
export type RequestKind = 'app' | 'forwarded' | 'page';
export type LoginOutcome = 'started' | 'unreachable' | 'limited' | FinishedLogin['outcome'];

/** What is counted while it happens. Labels come from lists of ours: never an address, a token or an id (SECURITY.md 14). */
export interface Meter {
  request(kind: RequestKind, route: string, status: number): void;
  login(outcome: LoginOutcome): void;
  register(way: 'form' | 'api', outcome: string): void;
  /** Until the app began to answer, or failed to. */
  upstream(outcome: string, seconds: number): void;
}

const LOGIN_OUTCOMES: readonly LoginOutcome[] = ['started', 'unreachable', 'limited', 'signed_in', 'other_person', 'lead_on', 'stale', 'refused', 'invalid', 'trial_over'];

export function createMeter(registry: Registry): Meter {
  const registers = [registry];
  const requests = countedAtScrape(new Counter({ name: 'vestibule_proxy_http_requests_total', help: 'HTTP requests by kind; a route pattern for those that are not for the app.', labelNames: ['kind', 'route', 'status'], registers, collect: () => requests.tell() }));
  const logins = new Counter({ name: 'vestibule_proxy_logins_total', help: 'Sign-ins that were started, and how they came back from Keycloak.', labelNames: ['outcome'], registers });
  const registered = new Counter({ name: 'vestibule_proxy_registers_total', help: 'Sign-ups handed on to the bridge, from the form or from programs.', labelNames: ['way', 'outcome'], registers });
  const upstream = durations(registry, 'vestibule_proxy_upstream_duration_seconds', 'Until the app began to answer, or failed to.', ['outcome']);
  // Prometheus sees no increase in a series that begins at 1.
  for (const outcome of LOGIN_OUTCOMES) logins.inc({ outcome }, 0);
  return {
    request: requests.count,
    login: (outcome) => logins.inc({ outcome }),
    register: (way, outcome) => registered.inc({ way, outcome }),
    upstream: (outcome, seconds) => upstream.observe({ outcome }, seconds),
  };
}

/** Counts plain numbers and tells the counter at the scrape: to find the series of its labels takes longer than all else about it. */
function countedAtScrape(counter: Counter<'kind' | 'route' | 'status'>) {
  const untold = new Map<string, { labels: { kind: string; route: string; status: number }; times: number }>();
  return {
    count: (kind: string, route: string, status: number): void => {
      const name = `${kind} ${status} ${route}`;
      const series = untold.get(name);
      if (series) series.times += 1;
      else untold.set(name, { labels: { kind, route, status }, times: 1 });
    },
    tell: (): void => {
      for (const { labels, times } of untold.values()) counter.inc(labels, times);
      untold.clear();
    },
  };
}
