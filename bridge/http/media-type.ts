import type { Request, RequestHandler } from 'express';
import { AppError } from '../../platform/problem.ts';

const ANOTHER_CHARSET = /^charset=(?!"?utf-8"?$)/;

/** `application/json` of `Application/JSON; charset=utf-8`; empty where none is told. */
export function mediaTypeOf(req: Request): string {
  return partsOf(req)[0]!;
}

/** Only bodies of these types, in UTF-8. */
export function demandType(...types: readonly [string, ...string[]]): RequestHandler {
  return (req, _res, next) => {
    const [type, ...parameters] = partsOf(req);
    if (!types.includes(type!) || parameters.some((parameter) => ANOTHER_CHARSET.test(parameter))) throw new AppError('unsupported_media_type', `Send "Content-Type: ${types[0]}".`);
    next();
  };
}

function partsOf(req: Request): readonly string[] {
  return (req.headers['content-type'] ?? '').toLowerCase().split(';').map((part) => part.trim());
}
