import { json, Router } from 'express';
import { z } from 'zod';
import type { MovableClock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';

const body = z.strictObject({ offset_seconds: z.number() });

/** Development only: reads and moves the domain clock. `onMove` runs after a move. */
export function clockRoutes(clock: MovableClock, onMove: () => Promise<void>): Router {
  const router = Router();
  const state = () => ({ now: clock.now().toISOString(), offset_seconds: clock.offset() });
  router.get('/dev/clock', (_req, res) => {
    res.json(state());
  });
  router.post('/dev/clock', json(), async (req, res) => {
    const parsed = body.safeParse(req.body);
    if (!parsed.success) throw new AppError('invalid_request', 'Send {"offset_seconds": <number>}.');
    clock.setOffset(parsed.data.offset_seconds);
    await onMove();
    res.json(state());
  });
  return router;
}
