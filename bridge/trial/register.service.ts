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
import { insertSignUpRequest } from './sign-up-request.store.ts';

export interface RegisterRequest {
  username: string;
  product?: string | undefined;
  firstname?: string | undefined;
  lastname?: string | undefined;
  company?: string | undefined;
  next_page?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  consents?: readonly { id: string; version: string }[] | undefined;
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
  const attributes = declaredAttributes(product, request.attributes ?? {});
  const consents = declaredConsents(product, request.consents ?? []);
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
      attributes,
      consents,
      requestId: from.requestId,
      requestedAt: using.clock.now(),
    });
    await addJob(trx, 'send_invitation', { sign_up_request_id: id });
  });
}

function declaredAttributes(product: Product, given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [id, value] of Object.entries(given)) {
    const declared = product.attributes.find((one) => one.id === id);
    if (declared === undefined) throw refused(`attributes.${id}`, 'this product does not ask for that.');
    if (value.length > declared.max_length) throw refused(`attributes.${id}`, `at most ${declared.max_length} characters.`);
  }
  const missing = product.attributes.find((one) => one.required && !given[one.id]?.trim());
  if (missing !== undefined) throw refused(`attributes.${missing.id}`, 'is required.');
  return given;
}

function declaredConsents(
  product: Product,
  given: readonly { id: string; version: string }[],
): readonly { id: string; version: string }[] {
  for (const one of given) {
    const declared = product.consents.find((consent) => consent.id === one.id);
    if (declared === undefined) throw refused(`consents.${one.id}`, 'this product does not ask for that.');
    if (declared.version !== one.version) throw refused(`consents.${one.id}`, `version ${declared.version} is the current one.`);
  }
  if (new Set(given.map((one) => one.id)).size !== given.length) throw refused('consents', 'each at most once.');
  const missing = product.consents.find((one) => one.required && !given.some((consent) => consent.id === one.id));
  if (missing !== undefined) throw refused(`consents.${missing.id}`, 'is required.');
  return given;
}

function refused(field: string, words: string): AppError {
  return new AppError('invalid_request', `${field}: ${words}`, { field });
}
