import type { AddressHash } from '../address/address-hash.ts';
import type { Db } from '../db/schema.ts';
import type { Account, Accounts } from '../keycloak/accounts.ts';
import { noAnswer } from '../keycloak/no-answer.ts';
import { nothingThere } from './act.service.ts';
import { listEvents, type LifeEvent } from './event.store.ts';
import { readStored, type StoredOfPerson } from './export.store.ts';
import { findLife, type Life } from './life.store.ts';

export interface Exported {
  life: Life;
  events: readonly LifeEvent[];
  stored: StoredOfPerson;
  /** Undefined: Keycloak has nobody of this id. */
  account: Account | undefined;
}

/** Everything that is stored of a person because of this trial. Throws where Keycloak does not answer: half of it is no answer. */
export async function exportLife(db: Db, { hash, accounts }: { hash: AddressHash; accounts: Pick<Accounts, 'findById'> }, lifeId: string): Promise<Exported> {
  const life = await findLife(db, lifeId);
  if (life === undefined) throw nothingThere();
  const account = life.userId === null ? undefined : await accounts.findById(life.userId).catch((error: unknown) => Promise.reject(noAnswer(error)));
  const stored = await readStored(db, life, life.address === null ? undefined : hash.mailbox(life.address));
  return { life, events: await listEvents(db, life.id), stored, account };
}
