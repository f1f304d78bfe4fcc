import type { InvoiceContent, LedgerKind } from '../../db/billing-plans.schema.ts';
import type { Db, Trx } from '../../db/schema.ts';
import type { Amount } from './money.ts';

export interface Invoice extends Amount {
  number: number;
  issuedAt: Date;
  dueAt: Date;
  currency: string;
  content: InvoiceContent;
}

export interface LedgerEntry extends Amount {
  kind: LedgerKind;
  planId: string;
  seats: number;
  periodStartsAt: Date;
  periodEndsAt: Date;
}

/** The next number. Whoever took one holds the counter until the end of the transaction, so that a roll-back leaves no gap. */
export async function takeInvoiceNumber(trx: Trx): Promise<number> {
  const { value } = await trx
    .updateTable('bridge.billing_counter')
    .set((eb) => ({ value: eb('value', '+', '1') }))
    .where('name', '=', 'invoice')
    .returning('value')
    .executeTakeFirstOrThrow();
  return Number(value);
}

export async function insertInvoice(trx: Trx, accountId: string, invoice: Invoice, entries: readonly LedgerEntry[]): Promise<void> {
  const number = String(invoice.number);
  await trx
    .insertInto('bridge.billing_invoice')
    .values({
      number,
      account_id: accountId,
      issued_at: invoice.issuedAt,
      due_at: invoice.dueAt,
      currency: invoice.currency,
      net: String(invoice.net),
      tax: String(invoice.tax),
      total: String(invoice.total),
      content: JSON.stringify(invoice.content),
    })
    .execute();
  await trx
    .insertInto('bridge.billing_ledger')
    .values(
      entries.map((entry) => ({
        account_id: accountId,
        plan_id: entry.planId,
        invoice_number: number,
        kind: entry.kind,
        seats: entry.seats,
        period_starts_at: entry.periodStartsAt,
        period_ends_at: entry.periodEndsAt,
        net: String(entry.net),
        tax: String(entry.tax),
        total: String(entry.total),
        at: invoice.issuedAt,
      })),
    )
    .execute();
}

export async function listInvoices(db: Db | Trx, accountId: string): Promise<readonly Invoice[]> {
  return (await selectInvoices(db).where('account_id', '=', accountId).orderBy('number', 'desc').execute()).map(toInvoice);
}

export async function findInvoice(db: Db, accountId: string, number: number): Promise<Invoice | undefined> {
  const row = await selectInvoices(db).where('account_id', '=', accountId).where('number', '=', String(number)).executeTakeFirst();
  return row && toInvoice(row);
}

function selectInvoices(db: Db | Trx) {
  return db.selectFrom('bridge.billing_invoice').select(['number', 'issued_at as issuedAt', 'due_at as dueAt', 'currency', 'net', 'tax', 'total', 'content']);
}

function toInvoice(row: Awaited<ReturnType<ReturnType<typeof selectInvoices>['executeTakeFirstOrThrow']>>): Invoice {
  return { ...row, number: Number(row.number), net: Number(row.net), tax: Number(row.tax), total: Number(row.total) };
}

export async function listLedger(db: Db | Trx, accountId: string): Promise<readonly (LedgerEntry & { invoiceNumber: number; at: Date })[]> {
  const rows = await db
    .selectFrom('bridge.billing_ledger')
    .select(['kind', 'plan_id as planId', 'invoice_number as invoiceNumber', 'seats', 'period_starts_at as periodStartsAt', 'period_ends_at as periodEndsAt', 'net', 'tax', 'total', 'at'])
    .where('account_id', '=', accountId)
    .orderBy('id')
    .execute();
  return rows.map((row) => ({ ...row, invoiceNumber: Number(row.invoiceNumber), net: Number(row.net), tax: Number(row.tax), total: Number(row.total) }));
}
