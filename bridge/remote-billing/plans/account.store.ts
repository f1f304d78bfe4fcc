import type { ExpressionBuilder } from 'kysely';
import type { Db, Schema, Trx } from '../../db/schema.ts';

/** Who pays for a realm or a whole server, as invoices name them. */
export interface Account {
  id: string;
  realmId: string | null;
  serverId: string | null;
  legalName: string;
  postalAddress: string;
  vatId: string;
  purchaseOrder: string;
  /** Empty: everybody who may sign in. */
  invoiceRecipients: readonly string[];
}

export type AccountOf = { realmId: string } | { serverId: string };
export type AccountDetails = Pick<Account, 'legalName' | 'postalAddress' | 'vatId' | 'purchaseOrder' | 'invoiceRecipients'>;

export async function findAccount(db: Db | Trx, of: AccountOf): Promise<Account | undefined> {
  return ownedBy(selectAccounts(db), of).executeTakeFirst();
}

/** One act of an account after the other, its server first. Makes the account at its first. */
export async function lockAccount(trx: Trx, of: AccountOf): Promise<Account> {
  const servers = trx.selectFrom('bridge.remote_server as s').select('s.id').forNoKeyUpdate();
  await ('serverId' in of ? servers.where('s.id', '=', of.serverId) : servers.where('s.id', '=', (eb) => eb.selectFrom('bridge.remote_realm as r').select('r.server_id').where('r.id', '=', of.realmId))).execute();
  const owner = 'realmId' in of ? { realm_id: of.realmId, server_id: null } : { realm_id: null, server_id: of.serverId };
  await trx.insertInto('bridge.billing_account').values(owner).onConflict((conflict) => conflict.doNothing()).execute();
  return ownedBy(selectAccounts(trx), of).forUpdate().executeTakeFirstOrThrow();
}

/** Its server first, too: an account that moves to a realm stays with it. */
export async function lockAccountById(trx: Trx, id: string): Promise<Account> {
  const owner = (eb: ExpressionBuilder<Schema, 'bridge.remote_server'>) =>
    eb
      .selectFrom('bridge.billing_account as a')
      .leftJoin('bridge.remote_realm as r', 'r.id', 'a.realm_id')
      .select((inner) => inner.fn.coalesce('a.server_id', 'r.server_id').as('id'))
      .where('a.id', '=', id);
  await trx.selectFrom('bridge.remote_server').select('id').where('id', '=', owner).forNoKeyUpdate().execute();
  return selectAccounts(trx).where('id', '=', id).forUpdate().executeTakeFirstOrThrow();
}

function ownedBy(accounts: ReturnType<typeof selectAccounts>, of: AccountOf) {
  return 'realmId' in of ? accounts.where('realm_id', '=', of.realmId) : accounts.where('server_id', '=', of.serverId);
}

function selectAccounts(db: Db | Trx) {
  return db
    .selectFrom('bridge.billing_account')
    .select([
      'id',
      'realm_id as realmId',
      'server_id as serverId',
      'legal_name as legalName',
      'postal_address as postalAddress',
      'vat_id as vatId',
      'purchase_order as purchaseOrder',
      'invoice_recipients as invoiceRecipients',
    ]);
}

export async function updateDetails(trx: Trx, id: string, details: AccountDetails): Promise<void> {
  await trx
    .updateTable('bridge.billing_account')
    .set({
      legal_name: details.legalName,
      postal_address: details.postalAddress,
      vat_id: details.vatId,
      purchase_order: details.purchaseOrder,
      invoice_recipients: JSON.stringify(details.invoiceRecipients),
    })
    .where('id', '=', id)
    .execute();
}

/** A whole server's account becomes that of its only realm. */
export async function giveAccountToRealm(trx: Trx, id: string, realmId: string): Promise<void> {
  await trx.updateTable('bridge.billing_account').set({ realm_id: realmId, server_id: null }).where('id', '=', id).execute();
}

/** What realm or server shows as its plan. */
export async function showPlan(trx: Trx, { realmId, serverId }: Pick<Account, 'realmId' | 'serverId'>, planType: 'free' | 'community' | 'basic' | 'business' | 'legacy'): Promise<void> {
  if (realmId !== null) await trx.updateTable('bridge.remote_realm').set({ plan_type: planType }).where('id', '=', realmId).execute();
  if (serverId !== null) await trx.updateTable('bridge.remote_server').set({ plan_type: planType }).where('id', '=', serverId).execute();
}

/** Its requests for sponsorship go to `heirId`. False for an account that ever had a plan: its ledger stays with it. */
export async function deleteEmptyAccount(trx: Trx, id: string, heirId: string): Promise<boolean> {
  const plan = await trx.selectFrom('bridge.billing_plan').select('id').where('account_id', '=', id).limit(1).executeTakeFirst();
  if (plan !== undefined) return false;
  await trx.updateTable('bridge.sponsorship_request').set({ account_id: heirId }).where('account_id', '=', id).execute();
  await trx.deleteFrom('bridge.billing_account').where('id', '=', id).execute();
  return true;
}
