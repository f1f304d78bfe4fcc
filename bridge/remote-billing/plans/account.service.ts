import type { Clock } from '../../../platform/clock.ts';
import { AppError } from '../../../platform/problem.ts';
import { canonicalAddress } from '../../address/address.ts';
import type { Db } from '../../db/schema.ts';
import { findActiveRealms } from '../active-realms.ts';
import { recordAct } from '../audit.store.ts';
import { readBillingSession, type LiveSession } from '../billing-session.service.ts';
import type { From } from '../caller.ts';
import type { RemoteRealm } from '../realm.store.ts';
import type { Refusal } from '../standing.ts';
import { findAccount, lockAccount, updateDetails, type Account, type AccountDetails, type AccountOf } from './account.store.ts';
import { findInvoice, listInvoices, listLedger, type Invoice } from './invoice.store.ts';
import type { Acting } from './plan.service.ts';
import { findPlan, type Plan } from './plan.store.ts';
import { findLastSponsorship, insertSponsorship, type SponsorshipRequest, type SponsorshipWish } from './sponsorship.store.ts';

export type NotLive = { result: 'over'; loginUrl: string | undefined } | Refusal;

export interface AccountState {
  account: Account | undefined;
  plan: Plan | undefined;
  scheduled: Plan | undefined;
  ledger: Awaited<ReturnType<typeof listLedger>>;
  invoices: readonly Invoice[];
  sponsorship: SponsorshipRequest | undefined;
}

export interface ReadAccount extends AccountState {
  result: 'account';
  live: LiveSession;
  /** Whose seats count here: the realm's, or those of all active ones of a whole server. */
  counted: readonly RemoteRealm[];
}

/** For whoever's session it is, if it is alive. */
export async function demandSession(db: Db, sessionId: string): Promise<LiveSession | NotLive> {
  const read = await readBillingSession(db, sessionId);
  return read.result === 'unknown' ? { result: 'over', loginUrl: undefined } : read;
}

export function accountOf({ place }: LiveSession): AccountOf {
  return place.realm === undefined ? { serverId: place.server.id } : { realmId: place.realm.id };
}

export function actingAs(live: LiveSession, from: From): Acting {
  return { of: accountOf(live), sessionId: live.session.id, audit: { actor: { kind: 'user', id: live.user.id }, serverId: live.place.server.id, realmId: live.place.realm?.id, userId: live.user.id, ...from } };
}

/** All that the pages of an account show. */
export async function readAccount(db: Db, live: LiveSession): Promise<ReadAccount> {
  const { server, realm } = live.place;
  return { result: 'account', live, counted: realm === undefined ? await findActiveRealms(db, server) : [realm], ...(await readAccountOf(db, accountOf(live))) };
}

export async function readAccountOf(db: Db, of: AccountOf): Promise<AccountState> {
  const account = await findAccount(db, of);
  if (account === undefined) return { account, plan: undefined, scheduled: undefined, ledger: [], invoices: [], sponsorship: undefined };
  return {
    account,
    plan: await findPlan(db, account.id, 'active'),
    scheduled: await findPlan(db, account.id, 'scheduled'),
    ledger: await listLedger(db, account.id),
    invoices: await listInvoices(db, account.id),
    sponsorship: await findLastSponsorship(db, account.id),
  };
}

export async function saveDetails(db: Db, using: { clock: Clock }, acting: Acting, details: AccountDetails): Promise<void> {
  const invoiceRecipients = details.invoiceRecipients.map((written, index) => {
    const address = canonicalAddress(written);
    if (address === undefined) throw new AppError('invalid_request', `invoice_recipients.${index}: must be an e-mail address.`, { field: `invoice_recipients.${index}` });
    return address;
  });
  await db.transaction().execute(async (trx) => {
    const { id } = await lockAccount(trx, acting.of);
    await updateDetails(trx, id, { ...details, invoiceRecipients: [...new Set(invoiceRecipients)] });
    await recordAct(trx, { ...acting.audit, at: using.clock.now(), act: 'details_changed' });
  });
}

/** `pending`: one was asked for before and is not decided. */
export async function askForSponsorship(db: Db, using: { clock: Clock }, acting: Acting, userId: string, wish: SponsorshipWish): Promise<'asked' | 'pending'> {
  return db.transaction().execute(async (trx) => {
    const { id } = await lockAccount(trx, acting.of);
    const at = using.clock.now();
    if (!(await insertSponsorship(trx, { ...wish, accountId: id, userId, requestedAt: at }))) return 'pending';
    await recordAct(trx, { ...acting.audit, at, act: 'sponsorship_requested', details: { requested_plan: wish.requestedPlan } });
    return 'asked';
  });
}

export async function readInvoice(db: Db, of: AccountOf, number: number): Promise<Invoice | undefined> {
  const account = await findAccount(db, of);
  return account && findInvoice(db, account.id, number);
}
