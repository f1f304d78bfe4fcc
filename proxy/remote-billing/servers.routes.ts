import type { RequestHandler } from 'express';
import { logOf } from '../../platform/http.ts';
import { callerOf, type BillingParts } from './billing-browser.ts';

/** What self-hosted servers send goes on as it came, with their own credentials; the bridge answers in Zulip's shape. */
export function forwardServers(parts: Pick<BillingParts, 'bridge' | 'trustedProxies'>): RequestHandler {
  return async (req, res) => {
    const body = Buffer.isBuffer(req.body) ? req.body : undefined;
    const answer = await parts.bridge.forwardServer({ method: req.method, path: req.path, headers: req.headers, body }, callerOf(parts, req, res)).catch((error: unknown) => {
      logOf(res).error({ err: error }, 'the bridge is out of reach');
      return { status: 502, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ result: 'error', msg: 'Try again in a minute.', code: 'INTERNAL_SERVER_ERROR' })) };
    });
    res.status(answer.status).set(answer.headers).end(answer.body);
  };
}
