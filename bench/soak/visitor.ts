import { keycloakAdmin } from '../../test/support/keycloak-admin.ts';
import { httpBrowser, type HttpBrowser } from '../../platform/http-browser.ts';
import type { Person } from '../../test/support/person.ts';
import { KilledUnderWay, type Ask } from './balancer.ts';
import type { Outages } from './outages.ts';
import type { Tally } from './tally.ts';

/**
 * Keycloak finds each dead connection of its pool by a request that fails (docs/operating.md); and just started it takes seconds for
 * what takes it 50 ms later, while everybody who could not sign in tries again: the proxy asks it for 5 s, and says so then.
 */
const KEYCLOAK_RECOVERS_MILLISECONDS = 30_000;
const BACK_CHANNEL_HOLDS_WITHIN_MILLISECONDS = 10_000;
const LOOK_AGAIN_MILLISECONDS = 250;
const AT_ONCE = 6;
const JSON_ONLY = { accept: 'application/json', 'sec-fetch-mode': 'cors' };

export interface Visitor {
  busy: boolean;
  /** Whether a session is open; `unsure` when its last change was cut off. */
  state: 'in' | 'out' | 'unsure';
  act(action: Action): Promise<void>;
}

export type Action = 'request' | 'burst' | 'login' | 'logout' | 'back-channel logout' | 'old cookie';

interface World {
  proxyUrl: string;
  ask: Ask;
  outages: Outages;
  tally: Tally;
}

/** One person, who does one thing at a time, and knows what must come of it. */
export function visitor(person: Person, { proxyUrl, ask, outages, tally }: World): Visitor {
  let browser: HttpBrowser = httpBrowser({ fetch: ask });
  let old: HttpBrowser | undefined;

  /** `undefined`: cut off with a killed proxy, or Postgres is away and this replica does not know the session. */
  const whoAmI = async (as: HttpBrowser): Promise<'me' | 'nobody' | undefined> => {
    const from = performance.now();
    try {
      const { status, body } = await as.get(`${proxyUrl}/whoami`, JSON_ONLY);
      if (status === 401) return 'nobody';
      if (status === 200) {
        const { userId } = JSON.parse(body) as { userId?: string };
        if (userId !== person.id) tally.fault(`answered as another person: ${userId} instead of ${person.id}`);
        return 'me';
      }
      if (status === 503 && outages.touched(['postgres'], from, performance.now(), 2_000)) return void tally.count('asked to try again while Postgres was away');
      tally.fault(`a request was answered ${status}: ${body.slice(0, 200)}`);
    } catch (error) {
      if (!(error instanceof KilledUnderWay)) tally.fault(`a request was lost: ${describe(error)}`);
    }
    return undefined;
  };

  const request = async (): Promise<void> => {
    const was = visitorOf.state;
    const seen = await whoAmI(browser);
    if (seen === undefined) return;
    tally.count('requests');
    if (was === 'in' && seen === 'nobody') tally.fault(`a session was lost: ${person.username}`);
    if (was === 'out' && seen === 'me') tally.fault(`a session that had ended is alive: ${person.username}`);
    visitorOf.state = seen === 'me' ? 'in' : 'out';
  };

  const login = async (): Promise<void> => {
    const from = performance.now();
    const fresh = httpBrowser({ fetch: ask });
    try {
      const form = await fresh.get(`${proxyUrl}/api/login?next_page=/whoami`);
      const page = await fresh.submit(form.form('kc-form-login'), { username: person.username, password: person.password });
      if (page.status !== 200 || !page.url.endsWith('/whoami')) throw new Error(`${page.status} at ${page.url.split('?')[0]}: ${page.body.replaceAll(/<[^>]*>|\s+/g, ' ').slice(0, 200)}`);
      if ((JSON.parse(page.body) as { userId?: string }).userId !== person.id) tally.fault('signed in as another person');
      [browser, visitorOf.state] = [fresh, 'in'];
      tally.count('logins');
    } catch (error) {
      // What was begun there is not known: it is nobody's session any more.
      visitorOf.state = 'out';
      browser = httpBrowser({ fetch: ask });
      const excused = error instanceof KilledUnderWay || outages.touched(['proxy', 'proxy 2'], from, performance.now(), 5_000) || outages.touched(['keycloak', 'postgres'], from, performance.now(), KEYCLOAK_RECOVERS_MILLISECONDS);
      if (excused) tally.count('logins that were cut off');
      else tally.fault(`a login failed after ${seconds(from)}, ${outages.sinceLast('keycloak')}: ${describe(error)}`);
    }
  };

  const logout = async (): Promise<void> => {
    const from = performance.now();
    try {
      const asked = await browser.get(`${proxyUrl}/api/logout`);
      await browser.submit(asked.form());
      visitorOf.state = 'out';
      tally.count('logouts');
      old = browser;
    } catch (error) {
      visitorOf.state = 'unsure';
      if (error instanceof KilledUnderWay || outages.touched(['keycloak', 'postgres', 'proxy', 'proxy 2'], from, performance.now(), 5_000)) tally.count('logouts that were cut off');
      else tally.fault(`a logout failed: ${describe(error)}`);
    }
    if (visitorOf.state === 'out' && outages.touched(['postgres', 'proxy', 'proxy 2'], from, performance.now(), 5_000)) visitorOf.state = 'unsure';
  };

  /** As an admin, or the bridge, ends it at Keycloak. Keycloak tells the first replica, once. */
  const backChannelLogout = async (): Promise<void> => {
    const from = performance.now();
    visitorOf.state = 'unsure';
    const refused = await keycloakAdmin().post(`/users/${person.id}/logout`).then(() => undefined, describe);
    if (refused !== undefined) {
      if (outages.touched(['keycloak', 'postgres'], from, performance.now(), KEYCLOAK_RECOVERS_MILLISECONDS)) return tally.count('back-channel logouts that were cut off');
      return tally.fault(`Keycloak does not log somebody out: ${refused}`);
    }
    // By now it has told the proxy: it answers after that.
    const told = performance.now();
    while (performance.now() - told < BACK_CHANNEL_HOLDS_WITHIN_MILLISECONDS) {
      if ((await whoAmI(browser)) === 'nobody' && (await whoAmI(browser)) === 'nobody') {
        [visitorOf.state, old] = ['out', browser];
        return tally.count('back-channel logouts');
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MILLISECONDS));
    }
    if (outages.touched(['keycloak', 'postgres', 'proxy', 'proxy 2'], from, performance.now(), 5_000)) return tally.count('back-channel logouts that were cut off');
    return tally.fault(`a back-channel logout does not hold, asked for in ${seconds(from, told)}, ${outages.sinceLast('keycloak')}: ${person.username}`);
  };

  const oldCookie = async (): Promise<void> => {
    if (old && visitorOf.state !== 'unsure' && (await whoAmI(old)) === 'me') tally.fault(`a cookie from before a logout lets ${person.username} in`);
    tally.count('old cookies tried');
  };

  const actions: Readonly<Record<Action, () => Promise<unknown>>> = {
    request,
    burst: () => Promise.all(Array.from({ length: AT_ONCE }, request)),
    login,
    logout,
    'back-channel logout': backChannelLogout,
    'old cookie': oldCookie,
  };
  const visitorOf: Visitor = {
    busy: false,
    state: 'out',
    act: async (action) => {
      visitorOf.busy = true;
      await actions[action]().catch((error: unknown) => tally.fault(`${action}: ${describe(error)}`));
      visitorOf.busy = false;
    },
  };
  return visitorOf;
}

function seconds(from: number, until = performance.now()): string {
  return `${((until - from) / 1000).toFixed(1)} s`;
}

function describe(error: unknown): string {
  const { message, cause } = error as Error;
  return `${message}${cause instanceof Error ? ` (${cause.message})` : ''}`.slice(0, 400);
}
