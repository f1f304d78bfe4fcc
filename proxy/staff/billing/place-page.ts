import type { Request, Response } from 'express';
import { languageOf } from '../../pages/show.ts';
import { inMoney, inWords } from '../../remote-billing/place-pages.ts';
import type { Staff, StaffParts } from '../staff-gate.ts';
import { SECTIONS, showStaff } from '../staff-pages.ts';
import { line, type Input, type Outlook } from './support-acts.ts';
import type { PlaceName, ShownPlace } from './support-bridge.ts';

const NO_SEATS = 1;

export interface Said {
  status?: number;
  note?: string | undefined;
  /** Of an invoice that was made. */
  invoice?: number | undefined;
  alert?: string | undefined;
  /** The bridge's own sentence, which is English. */
  why?: string | undefined;
}

export function baseOf({ kind, uuid }: PlaceName): string {
  return `${SECTIONS.billing}${kind}/${uuid}/`;
}

/** A realm or a whole server: all that is known of it, and a form for each thing that can be done. */
export function showPlacePage(parts: StaffParts, req: Request, res: Response, staff: Staff, name: PlaceName, place: ShownPlace, { status, note, invoice, alert, why }: Said): void {
  const language = languageOf(parts, req);
  const { plan, realm, server, offers } = place;
  const reported = realm?.seats_reported?.seats ?? NO_SEATS;
  const emails = new Map(place.users.map(({ id, email }) => [id, email]));
  const priced = plan?.unit_price != null;
  showStaff(parts, req, res, staff, {
    section: 'billing',
    template: 'staff-place',
    ...(status !== undefined && { status }),
    title: realm === null ? server.host : realm.name || realm.host,
    note,
    alert,
    data: {
      why,
      invoice,
      base: baseOf(name),
      place,
      account: place,
      money: inMoney(language, place.currency),
      date: inWords(language),
      deactivated: realm === null ? server.deactivated : realm.deactivated,
      priced,
      mayGive: !priced && place.scheduled === null,
      fewest: Math.max(reported, offers[0]?.minimum_seats ?? NO_SEATS),
      history: place.history.map((one) => ({ ...one, who: one.actor === staff.id ? staff.name : ((one.actor_kind === 'user' && emails.get(one.actor ?? '')) || (one.actor ?? '')), whom: one.user_id !== one.actor ? emails.get(one.user_id ?? '') : undefined })),
    },
  });
}

/** What will happen, and the question why. */
export function showOutlook(parts: StaffParts, req: Request, res: Response, staff: Staff, name: PlaceName, asked: { act: string; input: Input; wish: object; outlook: Outlook; place: ShownPlace }, wrong?: 'reason'): void {
  const language = languageOf(parts, req);
  const t = parts.pages.translate(language);
  const { act, input, wish, outlook, place } = asked;
  const { sentence, values = {}, days = {}, amount } = outlook;
  const date = inWords(language);
  const words = {
    ...values,
    ...(values['plan'] !== undefined && { plan: t(`billing.plan.${values['plan']}`) }),
    ...(values['period'] !== undefined && { period: t(`billing.plan.${values['period']}`) }),
    ...Object.fromEntries(Object.entries(days).map(([key, day]) => [key, date(day)])),
    whom: place.users.find(({ id }) => id === line(input, 'user_id'))?.email ?? '',
  };
  showStaff(parts, req, res, staff, {
    section: 'billing',
    template: 'staff-act',
    status: wrong ? 400 : 200,
    title: t('staff.act.title'),
    ...(wrong && { alert: t('staff.act.reason_missing') }),
    data: {
      base: baseOf(name),
      act,
      where: place.realm === null ? place.server.host : `${place.realm.name} (${place.realm.host})`,
      sentence: t(`staff.will.${sentence}`, words),
      outlook,
      money: amount && inMoney(language, amount.currency),
      hidden: { ...formOf(input, Object.keys(wish)), ...outlook.agreed },
      reason: line(input, 'reason'),
      wrong,
    },
  });
}

/** The form as it was sent, for the one that confirms it. */
function formOf(input: Input, names: readonly string[]): Record<string, string> {
  const sent = [...names, 'ends_on', 'user_id'].filter((name) => line(input, name) !== '');
  return Object.fromEntries(sent.map((name) => [name, line(input, name)]));
}
