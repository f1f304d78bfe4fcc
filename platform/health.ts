import { Router } from 'express';
import { logOf } from './http.ts';

const CHECK_LIMIT_MILLISECONDS = 2_000;

export interface Dependency {
  /** Resolves when the dependency can be used. */
  check(): Promise<unknown>;
  /** `false`: the service still answers while this is away, only "degraded". */
  required: boolean;
}

export interface Health {
  dependencies: Readonly<Record<string, Dependency>>;
  /** Load balancers shall send nothing more. */
  isStopping?: () => boolean;
}

export interface HealthAnswer {
  status: 200 | 503;
  body: object;
}

/** `GET /livez`: the process answers. `GET /readyz`: each dependency by name; 503 when a required one is away, or the process stops. */
export function healthRoutes(health: Health): Router {
  const router = Router();
  for (const path of ['/livez', '/readyz']) {
    router.get(path, async (_req, res) => {
      const answer = await healthAnswer(health, path, (dependency, cause) => logOf(res)?.warn({ err: cause, dependency }, 'dependency is down'));
      res.status(answer?.status ?? 404).set('Cache-Control', 'no-store').json(answer?.body);
    });
  }
  return router;
}

/** Undefined for a path that is not about health. */
export async function healthAnswer({ dependencies, isStopping }: Health, path: string, onDown: (dependency: string, cause: unknown) => void): Promise<HealthAnswer | undefined> {
  if (path === '/livez') return { status: 200, body: { status: 'alive' } };
  if (path !== '/readyz') return undefined;
  const states = await Promise.all(
    Object.entries(dependencies).map(async ([name, dependency]) => {
      const state = await stateOf(dependency);
      if (state.state === 'down') onDown(name, state.cause);
      return { name, required: dependency.required, state: state.state };
    }),
  );
  const down = states.filter((one) => one.state === 'down');
  const unready = down.some((one) => one.required);
  const stopping = isStopping?.() === true;
  return {
    status: unready || stopping ? 503 : 200,
    body: {
      status: stopping ? 'stopping' : unready ? 'unready' : down.length > 0 ? 'degraded' : 'ready',
      dependencies: Object.fromEntries(states.map(({ name, required, state }) => [name, { state, required }])),
    },
  };
}

export async function stateOf(dependency: Dependency): Promise<{ state: 'up' } | { state: 'down'; cause: unknown }> {
  try {
    await within(CHECK_LIMIT_MILLISECONDS, dependency.check());
    return { state: 'up' };
  } catch (cause) {
    return { state: 'down', cause };
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const timeout = AbortSignal.timeout(milliseconds);
  return Promise.race([
    work,
    new Promise<never>((_resolve, reject) => {
      timeout.addEventListener('abort', () => reject(new Error(`no answer within ${milliseconds} ms`)), { once: true });
    }),
  ]);
}
