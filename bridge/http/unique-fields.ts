import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler, Response } from 'express';
import { AppError } from '../../platform/problem.ts';

const ESCAPE = /\\./g;
/** Where nothing is escaped: a string of JSON text; followed by a colon, it names a field. */
const STRING = /"[^"]*"(\s*:)?/g;

/** For `json({ verify })`: JSON.parse keeps the last of two fields of one name, another reader of the same bytes the first. */
export function countWrittenFields(_req: IncomingMessage, res: ServerResponse, body: Buffer): void {
  (res as Response).locals['writtenFields'] = writtenFields(body.toString());
}

export const refuseRepeatedFields: RequestHandler = (req, res, next) => {
  if ((res.locals['writtenFields'] ?? 0) !== countFields(req.body)) throw new AppError('invalid_request', 'Send each field once.');
  next();
};

/** Whether JSON text names a field twice that its value has once. */
export function repeatsFields(text: string, value: unknown): boolean {
  return writtenFields(text) !== countFields(value);
}

function writtenFields(text: string): number {
  let count = 0;
  for (const [, colon] of text.replaceAll(ESCAPE, '').matchAll(STRING)) if (colon !== undefined) count += 1;
  return count;
}

/** Without recursion: what is sent may be nested as deep as it is long. */
function countFields(value: unknown): number {
  let count = 0;
  const left = [value];
  while (left.length > 0) {
    const one = left.pop();
    if (typeof one !== 'object' || one === null) continue;
    const inside: unknown[] = Object.values(one);
    if (!Array.isArray(one)) count += inside.length;
    for (const each of inside) left.push(each);
  }
  return count;
}
