import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler, Response } from 'express';
import { AppError } from '../../platform/problem.ts';

/** A string of JSON text; followed by a colon, it names a field. */
const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/** For `json({ verify })`: JSON.parse keeps the last of two fields of one name, another reader of the same bytes the first. */
export function countWrittenFields(_req: IncomingMessage, res: ServerResponse, body: Buffer): void {
  (res as Response).locals['writtenFields'] = [...body.toString().matchAll(STRING)].filter(([, colon]) => colon !== undefined).length;
}

export const refuseRepeatedFields: RequestHandler = (req, res, next) => {
  if ((res.locals['writtenFields'] ?? 0) !== countFields(req.body)) throw new AppError('invalid_request', 'Send each field once.');
  next();
};

function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value).reduce((sum: number, one) => sum + countFields(one), 0);
  return Array.isArray(value) ? inside : inside + Object.keys(value).length;
}
