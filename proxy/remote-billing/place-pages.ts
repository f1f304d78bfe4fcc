import type { Request, Response } from 'express';
import { waitInWords, type Translate } from '../pages/pages.ts';
import { languageOf, show, text } from '../pages/show.ts';
import type { Account, Invoice, Quote, SeatsQuote, Wanted } from './account-messages.ts';
import type { ListedUser } from './billing-bridge.ts';
import { formToken, type BillingParts } from './billing-browser.ts';
import type { Input, Note } from './place-acts.ts';
import type { Entered } from './place-gate.ts';
import { placeName, unverified } from './sign-in-pages.ts';

const TABS = ['plans', 'billing', 'sponsorship'] as const;
const NO_SEATS = 1;

/** What a page shows besides the account: what was typed, what is wrong with it, what was done. */
export interface Shown {
  input: Input;
  act?: string | undefined;
  field?: string | undefined;
  note?: Note | undefined;
  warning?: Note | undefined;
  quoted?: { quote: Quote; wanted: Wanted } | undefined;
  seats?: SeatsQuote | undefined;
}

interface Known {
  entered: Entered;
  account: Account;
  users: readonly ListedUser[];
}

export function showPlace(parts: BillingParts, req: Request, res: Response, { entered, account, users }: Known, shown: Shown): void {
  const language = languageOf(parts, req);
  const t = parts.pages.translate(language);
  const { page, base, live } = entered;
  const { place, user, ends_at: endsAt } = live;
  const others = users.filter(({ state, you }) => state === 'confirmed' && !you).length;
  const wrong = shown.act !== undefined && !shown.quoted && !shown.seats && shown.warning === undefined;
  // The bridge says only that it can't be had: why, the page can see.
  const isSame = account.plan?.unit_price != null && shown.input['type'] === account.plan.type && shown.input['when'] !== 'at_end';
  const warning = shown.warning === 'changed' && page === 'upgrade' && !shown.quoted && isSame ? 'same_plan' : shown.warning;
  const typed = (name: string, otherwise = ''): string => text(shown.input[name]) ?? otherwise;
  show(parts, req, res, {
    template: `billing-${page}`,
    status: res.statusCode,
    tokenFree: true,
    // What a form was answered with has no address of its own to come back to in another language.
    languageSwitch: req.method === 'GET' ? 'link' : 'none',
    title: `${wrong ? `${t('form.error_prefix')} ` : ''}${t(`billing.page.${page}`)}`,
    data: {
      heading: t(`billing.page.${page}`),
      base,
      place: placeName(place),
      whole: place.kind === 'server',
      notes: unverified(t, place),
      person: t('billing.place.person', { name: user.full_name || user.email, email: user.email }),
      ends: t('billing.place.ends', { wait: waitInWords(Math.max(60, endsAt - Math.floor(Date.now() / 1000)), language) }),
      tabs: TABS.map((one) => ({ href: `${base}/${one}/`, label: t(`billing.page.${one}`), here: one === page })),
      alert: wrong ? t(FIELD_PROBLEMS[shown.field ?? ''] ?? 'form.rejected') : warning && t(`billing.warning.${warning}`),
      note: shown.note && t(`billing.note.${shown.note}`),
      users: users.map((one) => ({ ...one, removable: one.state === 'confirmed' && (!one.you || others > 0) })),
      formToken: formToken(parts, req, res),
      account,
      typed: wrong && shown.act !== undefined ? (act: string, name: string, otherwise: string) => (act === shown.act ? typed(name, otherwise) : otherwise) : (_act: string, _name: string, otherwise: string) => otherwise,
      wrongField: wrong ? shown.field : undefined,
      quoted: shown.quoted,
      seatsQuoted: shown.seats,
      wanted: shown.quoted?.wanted ?? wantedBefore(account, typed),
      money: inMoney(language, account.currency),
      date: inWords(language),
    },
  });
}

const FIELD_PROBLEMS: Readonly<Record<string, string>> = {
  seats: 'billing.problem.seats',
  invoice_recipients: 'billing.problem.recipients',
  organization_type: 'billing.problem.missing',
  description: 'billing.problem.missing',
  expected_users: 'billing.problem.missing',
  requested_plan: 'billing.problem.missing',
};

/** The form of an upgrade as it opens: the plan that was clicked, the seats that the server last counted. */
function wantedBefore({ offers, seats_reported: reported, plan }: Account, typed: (name: string, otherwise?: string) => string) {
  const type = offers.some((one) => one.type === typed('type')) ? typed('type') : (offers[0]?.type ?? '');
  const fewest = offers.find((one) => one.type === type)?.minimum_seats ?? NO_SEATS;
  return { type, period: typed('period', 'year'), seats: typed('seats', String(Math.max(reported?.seats ?? NO_SEATS, fewest))), when: typed('when', plan?.type === 'legacy' ? 'at_end' : 'now') };
}

/** An amount in the smallest unit of its currency: what was agreed to before may be in another one than what is offered. */
export function inMoney(language: string, usual: string): (amount: number, currency?: string) => string {
  return (amount, currency = usual) => {
    const format = new Intl.NumberFormat(language, { style: 'currency', currency });
    return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
  };
}

/** One that gives money back is called what it is. */
export function invoiceTitle(t: Translate, { number, total }: Pick<Invoice, 'number' | 'total'>): string {
  return t(total < 0 ? 'billing.invoice.credit_title' : 'billing.invoice.title', { number: String(number) });
}

/** A day, with the time zone that it is one in; epoch seconds or an ISO instant. */
export function inWords(language: string): (instant: number | string) => string {
  const format = new Intl.DateTimeFormat(language, { year: 'numeric', month: 'long', day: 'numeric', timeZone: 'UTC' });
  return (instant) => `${format.format(typeof instant === 'number' ? instant * 1000 : new Date(instant))} UTC`;
}
