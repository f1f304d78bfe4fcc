import type { Product } from '../../platform/products.ts';
import type { Db, GivenAtStep, Trx } from '../db/schema.ts';
import { findGivenAtSignUp, replaceAnswers, type KeptAnswer, type KeptAnswers } from './given.store.ts';
import type { Invitation } from './invitation.store.ts';
import { asksAnything, demandRequired, judgeOffered, stillGood, type Given, type Offered } from './questions.ts';

const NOTHING: Given = { attributes: {}, consents: [] };

/** What whoever asked for this invitation gave, as far as it still counts. Asks Postgres only where the product asks people. */
export async function givenSoFar(db: Db | Trx, product: Product, invitation: Invitation): Promise<Given> {
  return (await earlier(db, product, invitation)).given;
}

/** What a creation keeps: of the sign-up, and of its own request, which counts more. Throws as {@link judgeOffered} and {@link demandRequired}. */
export async function completeAnswers(trx: Trx, product: Product, invitation: Invitation, offered: Offered, made: { step: GivenAtStep; at: Date }): Promise<KeptAnswers> {
  const now = judgeOffered(product, offered);
  const { given: before, at } = await earlier(trx, product, invitation);
  const attributes = { ...before.attributes, ...now.attributes };
  const consents = [...before.consents.filter(({ id }) => !now.consents.some((one) => one.id === id)), ...now.consents];
  demandRequired(product, { attributes, consents });
  const kept = (id: string, value: string, isNew: boolean): KeptAnswer => (isNew ? { id, value, ...made } : { id, value, at: at ?? made.at, step: 'sign_up' });
  return {
    attributes: Object.entries(attributes).filter(([, value]) => value.trim() !== '').map(([id, value]) => kept(id, value, id in now.attributes)),
    consents: consents.map((one) => kept(one.id, one.version, now.consents.includes(one))),
  };
}

export async function keepAnswers(trx: Trx, product: Product, attemptId: string, answers: KeptAnswers): Promise<void> {
  if (asksAnything(product)) await replaceAnswers(trx, attemptId, answers);
}

async function earlier(db: Db | Trx, product: Product, invitation: Invitation): Promise<{ given: Given; at: Date | undefined }> {
  const found = asksAnything(product) ? await findGivenAtSignUp(db, invitation.id) : undefined;
  return { given: found === undefined ? NOTHING : stillGood(product, found), at: found?.at };
}
