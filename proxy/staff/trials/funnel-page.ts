import type { Request, Response } from 'express';
import { AppError } from '../../../platform/problem.ts';
import { languageOf, translateFor } from '../../pages/show.ts';
import { askForStaff } from '../staff-bridge.ts';
import type { Staff, StaffParts } from '../staff-gate.ts';
import { showStaff } from '../staff-pages.ts';
import { pictureOf, totals } from './funnel-picture.ts';
import { productChoices, productName, query } from './trial-page.ts';
import { STAGES, type FunnelDay } from './trial-wire.ts';

const DAYS_SHOWN = 30;
const DAY_MILLISECONDS = 86_400_000;

/** How far the trials of some days came: two pictures, and a table that says the same. */
export async function showFunnel(parts: StaffParts, req: Request, res: Response, staff: Staff): Promise<void> {
  const [t, language] = [translateFor(parts, req), languageOf(parts, req)];
  const today = parts.clock.now().getTime();
  const product = parts.products.find(({ id }) => id === req.query['product'])?.id ?? '';
  const from = dayIn(req.query['from']) ?? isoDay(today - (DAYS_SHOWN - 1) * DAY_MILLISECONDS);
  const to = dayIn(req.query['to']) ?? isoDay(today);
  const answer = await askForStaff<{ days: readonly FunnelDay[] }>(parts, req, res, `/api/trial/funnel?${query({ from, to, product })}`, {}, { method: 'GET' }).catch(nothingIfRefused);
  const days = answer?.days ?? [];
  const number = new Intl.NumberFormat(language);
  const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 });
  showStaff(parts, req, res, staff, {
    section: 'trials',
    template: 'staff-funnel',
    title: t('trials.funnel.title'),
    ...(answer === undefined && { status: 400, alert: t('trials.wrong.days_of_funnel') }),
    languagePath: `/staff/trials/funnel/?${query({ from, to, product })}`,
    data: {
      from,
      to,
      products: productChoices(parts, product),
      stages: STAGES,
      totals: totals(days).map((one) => ({ ...one, words: `${number.format(one.count)} (${percent.format(one.percent / 100)})` })),
      picture: days.length > 0 ? pictureOf(days, from, to) : undefined,
      days: days.map((one) => ({ ...one, product: productName(parts, one.product) })).toReversed(),
      number: (count: number) => number.format(count),
    },
  });
}

function nothingIfRefused(error: unknown): undefined {
  if (error instanceof AppError && error.code === 'invalid_request') return undefined;
  throw error;
}

function dayIn(value: unknown): string | undefined {
  return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)) ? value : undefined;
}

function isoDay(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
