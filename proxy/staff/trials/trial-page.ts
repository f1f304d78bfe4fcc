import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import { findProduct } from '../../../platform/products.ts';
import { languageOf, translateFor } from '../../pages/show.ts';
import type { Staff, StaffParts } from '../staff-gate.ts';
import { showStaff } from '../staff-pages.ts';
import { timelineLines } from './timeline.ts';
import { line, TRIAL_ACTS, type Input, type TrialActName } from './trial-acts.ts';
import type { Trial } from './trial-wire.ts';

export interface Said {
  status?: number;
  note?: string | undefined;
  alert?: string | undefined;
  /** A form that was sent and not done: it stands open, with what was typed. */
  sent?: { act: TrialActName; input: Input; wrong: string | undefined } | undefined;
}

export function trialPath(id: string): string {
  return `/staff/trials/${id}/`;
}

export function showTrial(parts: StaffParts, req: Request, res: Response, staff: Staff, trial: Trial, { status, note, alert, sent }: Said = {}): void {
  const t = translateFor(parts, req);
  const dates = datesFor(parts, req, trial.product);
  const acts = (Object.keys(TRIAL_ACTS) as TrialActName[]).filter((name) => TRIAL_ACTS[name].offered(trial));
  showStaff(parts, req, res, staff, {
    section: 'trials',
    template: 'staff-trial',
    title: trial.username ?? t('trials.erased_person'),
    ...(status !== undefined && { status }),
    note,
    alert,
    data: {
      trial,
      base: trialPath(trial.id),
      product: productName(parts, trial.product),
      ...dates,
      acts: acts.map((name) => ({ name, once: randomUUID(), open: sent?.act === name, wrong: sent?.act === name ? sent.wrong : undefined })),
      typed: (act: string, field: string): string => (sent?.act === act ? line(sent.input, field) : ''),
      lines: timelineLines(t, { date: dates.moment, has: knows(t) }, staff.id, trial.timeline),
    },
  });
}

/** The second question of an erasure. */
export function showErase(parts: StaffParts, req: Request, res: Response, staff: Staff, trial: Trial, input: Input): void {
  const t = translateFor(parts, req);
  showStaff(parts, req, res, staff, {
    section: 'trials',
    template: 'staff-trial-erase',
    title: t('trials.erase.title', { person: trial.username ?? '' }),
    data: { trial, base: trialPath(trial.id), product: productName(parts, trial.product), reason: line(input, 'reason') },
  });
}

/** For a query; what is empty is left out. */
export function query(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '')).toString();
}

export function productChoices({ products }: StaffParts, chosen: string): readonly { value: string; label: string; chosen: boolean }[] {
  return products.map(({ id, name }) => ({ value: id, label: name, chosen: id === chosen }));
}

export function productName(parts: StaffParts, id: string): string {
  return findProduct(parts.products, id)?.name ?? id;
}

/** In the language of whoever reads, and the product's time zone, which is named. */
export function datesFor(parts: StaffParts, req: Request, product: string): { day(seconds: number | null): string; moment(seconds: number): string; zone: string } {
  const language = languageOf(parts, req);
  const timeZone = findProduct(parts.products, product)?.time_zone ?? 'UTC';
  const day = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium', timeZone });
  return { day: (seconds) => (seconds === null ? '–' : day.format(seconds * 1000)), moment: (seconds) => moment.format(seconds * 1000), zone: timeZone };
}

function knows(t: ReturnType<typeof translateFor>): (key: string) => boolean {
  return (key) => {
    try {
      return t(key) !== '';
    } catch {
      return false;
    }
  };
}
