import { Router } from 'express';
import { logOf } from './http.ts';

const CHECK_LIMIT_MILLISECONDS = 2_000;

export interface Dependency {
  /** Resolves when the dependency can be used. */
  check(): Promise<unknown>;
  /** `false`: the service still answers while this is away, only "degraded". */
  required: boolean;
}

/** `GET /livez`: the process answers. `GET /readyz`: each dependency by name; 503 when a required one is away. */
export function healthRoutes(dependencies: Readonly<Record<string, Dependency>>): Router {
  const router = Router();
  router.get('/livez', (_req, res) => {
    res.set('Cache-Control', 'no-store').json({ status: 'alive' });
  });
  router.get('/readyz', async (_req, res) => {
    const states = await Promise.all(
      Object.entries(dependencies).map(async ([name, dependency]) => {
        const state = await stateOf(dependency);
        if (state.state === 'down') logOf(res)?.warn({ err: state.cause, dependency: name }, 'dependency is down');
        return { name, required: dependency.required, state: state.state };
      }),
    );
    const down = states.filter((one) => one.state === 'down');
    const unready = down.some((one) => one.required);
    res
      .status(unready ? 503 : 200)
      .set('Cache-Control', 'no-store')
      .json({
        status: unready ? 'unready' : down.length > 0 ? 'degraded' : 'ready',
        dependencies: Object.fromEntries(states.map(({ name, required, state }) => [name, { state, required }])),
      });
  });
  return router;
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
