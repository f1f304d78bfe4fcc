import type { RequestHandler, Response } from 'express';
import type { Products } from '../../platform/products.ts';

const PREFLIGHT_SECONDS = '600';

/** Answers preflights for the origins that products list. Which product is meant stands in the body, so any of them will do here. */
export function preflight(products: Products): RequestHandler {
  const listed = new Set(products.flatMap((product) => product.origins.map(originOf)));
  return (req, res, next) => {
    const { origin } = req.headers;
    res.vary('Origin');
    if (origin !== undefined && listed.has(origin)) allowOrigin(res, origin);
    if (req.method !== 'OPTIONS' || origin === undefined) return next();
    res.set({ 'Access-Control-Allow-Methods': 'POST', 'Access-Control-Allow-Headers': 'Content-Type, X-Request-Id', 'Access-Control-Max-Age': PREFLIGHT_SECONDS });
    return res.status(204).end();
  };
}

/** Takes the permission back where the product of the request does not list the origin. */
export function restrictOrigin(res: Response, origin: string | undefined, origins: readonly string[]): void {
  if (origin !== undefined && !origins.map(originOf).includes(origin)) res.removeHeader('Access-Control-Allow-Origin');
}

function allowOrigin(res: Response, origin: string): void {
  res.setHeader('Access-Control-Allow-Origin', origin);
  res.setHeader('Access-Control-Expose-Headers', 'Retry-After, X-Request-Id');
}

function originOf(address: string): string {
  return new URL(address).origin;
}
