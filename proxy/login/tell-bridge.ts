import type { Request, Response } from 'express';
import type { BlockList } from 'node:net';
import { clientAddress } from '../../platform/client-address.ts';
import { logOf, requestIdOf } from '../../platform/http.ts';
import type { Bridge } from '../bridge/bridge.ts';
import { scannerSigns } from './scanner-signs.ts';

export interface TellingParts {
  bridge: Bridge;
  trustedProxies: BlockList;
}

/** An invitation's link was opened, by whatever opened it. */
export function tellOpened(parts: TellingParts, req: Request, res: Response, token: string): void {
  tell(parts, req, res, '/api/trial/opened', { token, signs: scannerSigns(req) });
}

/** Somebody on a trial has a session now. */
export function tellSignedIn(parts: TellingParts, req: Request, res: Response, who: { user_id: string; products: readonly string[] }): void {
  tell(parts, req, res, '/api/trial/signed-in', who);
}

/** Once the browser has its answer: nobody waits for a timeline, and one that misses a line is no harm. */
function tell({ bridge, trustedProxies }: TellingParts, req: Request, res: Response, path: string, message: object): void {
  const [caller, log] = [{ address: clientAddress(req, trustedProxies), requestId: requestIdOf(res) }, logOf(res)];
  res.once('close', () => {
    bridge.ask(path, message, caller).then(
      ({ status }) => status !== 200 && log.warn({ path, status }, 'the timeline of a trial misses a line'),
      (error: unknown) => log.warn({ err: error, path }, 'the timeline of a trial misses a line'),
    );
  });
}
