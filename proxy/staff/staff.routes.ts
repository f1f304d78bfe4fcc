import type { RequestHandler } from 'express';
import { SECTIONS } from './staff-pages.ts';

/** To the first section; the gate stands there. */
export const toFirstSection: RequestHandler = (_req, res) => res.redirect(303, Object.values(SECTIONS)[0] as string);
