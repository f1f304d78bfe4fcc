import { json, urlencoded, type Request, type RequestHandler } from 'express';
import { AppError } from '../../platform/problem.ts';
import { demandType, mediaTypeOf } from '../http/media-type.ts';

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';
const FORM_LIMIT_BYTES = 64 * 1024;

/** What is sent in another way than a form is refused: read as nothing sent, it would pass where nothing is required. */
export function readBody({ json: takesJson = false, limitBytes: limit = FORM_LIMIT_BYTES }: { json?: boolean; limitBytes?: number }): readonly RequestHandler[] {
  const demand = takesJson ? demandType(FORM, JSON_TYPE) : demandType(FORM);
  return [
    (req, res, next) => (hasBody(req) ? demand(req, res, next) : next()),
    urlencoded({ extended: false, limit, type: (req) => mediaTypeOf(req as Request) === FORM }),
    ...(takesJson ? [json({ limit, type: (req) => mediaTypeOf(req as Request) === JSON_TYPE })] : []),
  ];
}

export const refuseQuery: RequestHandler = (req, _res, next) => {
  if (Object.keys(req.query).length > 0) throw new AppError('invalid_request', 'Send fields as a form, in the body: the address takes none.');
  next();
};

/** `Content-Length: 0` is what clients write where there is none. */
function hasBody(req: Request): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}
