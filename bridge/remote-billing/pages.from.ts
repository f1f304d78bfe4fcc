import type { Request, Response } from 'express';
import type { BlockList } from 'node:net';
import { clientAddress } from '../../platform/client-address.ts';
import type { Clock } from '../../platform/clock.ts';
import { requestIdOf } from '../../platform/http.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { Db } from '../db/schema.ts';
import type { BillingParts } from './billing-parts.ts';
import type { From } from './caller.ts';

export interface BillingPagesUsing extends BillingParts {
  db: Db;
  clock: Clock;
  hash: AddressHash;
  locales: readonly string[];
  proxyClientId: string;
  trustedProxies: BlockList;
}

/** The proxy has shown its token: the client's address is what it says. */
export function fromOf(using: BillingPagesUsing, req: Request, res: Response): From {
  return { clientAddress: clientAddress(req, using.trustedProxies, true), requestId: requestIdOf(res) };
}
