import type { AddressHash } from '../../address/address-hash.ts';
import { addJob } from '../../db/job.ts';
import type { BillingMailKind } from '../../db/remote-billing.schema.ts';
import type { Trx } from '../../db/schema.ts';
import { countBillingMails, insertBillingMail } from '../billing-mail.store.ts';
import { listBillingUsers } from '../billing-user.store.ts';
import type { Catalog } from '../catalog.ts';
import type { Account } from './account.store.ts';
import type { Invoice } from './invoice.store.ts';
import { inCurrency } from './money.ts';
import { planName } from './offer.ts';

const SEND_ATTEMPTS = 14;
const DAY_MILLISECONDS = 86_400_000;
/** A day and mailbox, where nobody has shown that the mailbox wants them. */
const INVOICES_TO_STRANGER = 10;

export interface BillingMailUsing {
  catalog: Catalog;
  hash: AddressHash;
  /** Of the request or the sweep that an act came by. */
  requestId: string;
}

export async function queueInvoiceMails(trx: Trx, using: BillingMailUsing, account: Account, invoice: Invoice): Promise<void> {
  const { locale } = using.catalog;
  const people = new Set(await peopleOf(trx, account));
  const to = account.invoiceRecipients.length > 0 ? account.invoiceRecipients : [...people];
  const content = invoiceInMail(invoice, using.catalog, locale);
  // What somebody typed goes to addresses that are proven, and to no other (SECURITY.md 11).
  const { buyer: _, ...withoutBuyer } = content;
  await queue(trx, using, 'billing_invoice', to.filter((address) => people.has(address)), content, invoice.issuedAt);
  // One after the other, and nobody else's meanwhile: this transaction holds the counter of invoices.
  for (const address of to.filter((one) => !people.has(one))) {
    if (await mayGetInvoice(trx, using, address, invoice.issuedAt)) await queue(trx, using, 'billing_invoice', [address], withoutBuyer, invoice.issuedAt);
  }
}

async function mayGetInvoice(trx: Trx, { hash }: BillingMailUsing, address: string, at: Date): Promise<boolean> {
  return (await countBillingMails(trx, { kind: 'billing_invoice', mailboxHash: hash.mailbox(address) }, new Date(at.getTime() - DAY_MILLISECONDS))) < INVOICES_TO_STRANGER;
}

/** All of it: who gets invoices may have no way in to look at them. `lines` is JSON. */
function invoiceInMail({ number, issuedAt, dueAt, currency, net, tax, total, content }: Invoice, catalog: Catalog, locale: string): Record<string, string> {
  const money = (amount: number): string => inCurrency(amount, currency, locale);
  const lines = content.lines.map((line) => ({
    kind: line.kind,
    plan: planName(catalog, line.plan),
    seats: String(line.seats),
    from: day(new Date(line.periodStartsAt), catalog),
    to: day(new Date(line.periodEndsAt), catalog),
    net: money(line.net),
  }));
  const { legalName, postalAddress, vatId, purchaseOrder } = content.buyer;
  return {
    number: String(number),
    issued: day(issuedAt, catalog),
    // What gives money back is due to nobody.
    ...(total < 0 ? { credit: money(-total) } : { due: day(dueAt, catalog) }),
    seller: content.seller,
    buyer: [legalName, postalAddress, vatId, purchaseOrder].filter(Boolean).join('\n'),
    lines: JSON.stringify(lines),
    net: money(net),
    tax: money(tax),
    tax_percent: new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }).format(content.taxBasisPoints / 100),
    total: money(total),
  };
}

/** `ends`: the plan ends then; else it renews. `next`: what it becomes instead. */
export async function queuePlanMails(trx: Trx, using: BillingMailUsing, account: Account, kind: 'billing_reminder' | 'billing_stopped', about: { plan: string; endsAt: Date; ends: boolean; next?: { plan: string; seats: number } }, at: Date): Promise<void> {
  const content = { plan: about.plan, date: day(about.endsAt, using.catalog), ...(about.ends ? { ends: 'yes' } : {}), ...(about.next && { next: about.next.plan, seats: String(about.next.seats) }) };
  await queue(trx, using, kind, await peopleOf(trx, account), content, at);
}

/** What came of a request that was asked at `askedAt`. */
export async function queueSponsorshipMails(trx: Trx, using: BillingMailUsing, account: Account, { granted, askedAt }: { granted: boolean; askedAt: Date }, at: Date): Promise<void> {
  await queue(trx, using, 'billing_sponsorship', await peopleOf(trx, account), { date: day(askedAt, using.catalog), ...(granted ? { granted: 'yes' } : {}) }, at);
}

async function peopleOf(trx: Trx, { realmId, serverId }: Account): Promise<readonly string[]> {
  const users = await listBillingUsers(trx, realmId === null ? { serverId: serverId ?? '' } : { realmId });
  return [...new Set(users.filter(({ state }) => state === 'confirmed').map(({ email }) => email))];
}

async function queue(trx: Trx, using: BillingMailUsing, kind: BillingMailKind, to: readonly string[], content: Record<string, string>, queuedAt: Date): Promise<void> {
  for (const address of to) {
    const mailboxHash = using.hash.mailbox(address);
    const id = await insertBillingMail(trx, { kind, loginRequestId: null, address, mailboxHash, locale: using.catalog.locale, content, requestId: using.requestId, queuedAt });
    await addJob(trx, 'send_billing_mail', { billing_mail_id: id }, { key: `billing-mail:${id}`, maxAttempts: SEND_ATTEMPTS });
  }
}

function day(instant: Date, { locale, time_zone: timeZone }: Catalog): string {
  const date = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric', timeZone }).format(instant);
  // Of the zone alone: with the date it would say "at UTC", as of a time.
  const zone = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'short' }).formatToParts(instant).find(({ type }) => type === 'timeZoneName');
  return `${date} (${zone?.value ?? timeZone})`;
}
