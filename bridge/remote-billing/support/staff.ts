import { AppError } from '../../../platform/problem.ts';
import type { From } from '../caller.ts';

/** Who of the staff asks for an act, and why. */
export interface StaffFrom extends From {
  actor: { kind: 'staff'; id: string };
  reason: string;
}

export function nothingThere(): AppError {
  return new AppError('not_found', 'No server, realm or person has this UUID. Search for it.');
}

export function notPossible(why: string): AppError {
  return new AppError('not_possible', why);
}
