import type { Clock } from '../../platform/clock.ts';
import { nextPage } from '../../platform/next-page.ts';
import { AppError } from '../../platform/problem.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import { canonicalAddress } from '../address/address.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { Captcha } from '../captcha/captcha.ts';
import { addJob } from '../db/job.ts';
import type { Db } from '../db/schema.ts';
import type { RegisterLimit } from '../limit/register-limit.ts';
import { demandRequired, judgeOffered, type Offered } from './questions.ts';
import { insertSignUpRequest } from './sign-up-request.store.ts';

const KINDS = ['attributes', 'consents'] as const;

export interface RegisterRequest extends Offered {
  username: string;
  product?: string | undefined;
  firstname?: string | undefined;
  lastname?: string | undefined;
  company?: string | undefined;
  next_page?: string | undefined;
  captcha?: string | undefined;
}

interface Using {
  products: Products;
  proxyUrl: string;
  clock: Clock;
  hash: AddressHash;
  limit: RegisterLimit;
  captcha: Captcha;
}

/** Validates, limits and enqueues: the same work whoever the address belongs to. Who that is, a job finds out. */
export async function register(
  db: Db,
  using: Using,
  request: RegisterRequest,
  from: { clientAddress: string; isProgram: boolean; requestId: string; locale: (product: Product) => string },
): Promise<void> {
  const product = findProduct(using.products, request.product);
  if (product === undefined) throw refused('product', 'there is no such product.');
  const address = canonicalAddress(request.username);
  if (address === undefined) throw refused('username', 'must be an e-mail address with an ASCII name and a real domain, such as ada@example.com.');
  const wantedPage = request.next_page === undefined ? null : nextPage(request.next_page, using.proxyUrl, using.products);
  if (wantedPage === undefined) throw refused('next_page', 'must be a path that begins with one slash, outside /api, or a start_url of a product.');
  const given = judgeOffered(product, request);
  // What a caller leaves out altogether, as one does who knows of an address only, the registration form asks for.
  demandRequired(product, given, KINDS.filter((kind) => request[kind] !== undefined));
  await using.limit.consume(from.clientAddress);
  if (!from.isProgram) await using.captcha.demand(request.captcha, { clientAddress: from.clientAddress, product });
  await db.transaction().execute(async (trx) => {
    const id = await insertSignUpRequest(trx, {
      product: product.id,
      address,
      addressHash: using.hash.address(address),
      locale: from.locale(product),
      firstName: request.firstname ?? null,
      lastName: request.lastname ?? null,
      company: request.company ?? null,
      nextPage: wantedPage,
      ...given,
      requestId: from.requestId,
      requestedAt: using.clock.now(),
    });
    await addJob(trx, 'send_invitation', { sign_up_request_id: id });
  });
}

function refused(field: string, words: string): AppError {
  return new AppError('invalid_request', `${field}: ${words}`, { field });
}
