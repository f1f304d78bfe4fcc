import type { Request, RequestHandler, Response } from 'express';
import { AppError } from '../../../platform/problem.ts';
import { languageOf, show, text, translateFor } from '../../pages/show.ts';
import { inMoney, inWords, invoiceTitle } from '../../remote-billing/place-pages.ts';
import { forStaff, type Staff, type StaffParts } from '../staff-gate.ts';
import { SECTIONS, showStaff } from '../staff-pages.ts';
import { baseOf, showOutlook, showPlacePage, type Said } from './place-page.ts';
import { line, SUPPORT_FORMS, type Input } from './support-acts.ts';
import { performing, reading, type PlaceName } from './support-bridge.ts';

const LONGEST_SEARCH = 320;
const LONGEST_REASON = 500;
const MOST_PENDING = 50;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NUMBER = /^[1-9]\d{0,8}$/;
/** What can be refused as things are (409), and is said on the page. */
const AS_THINGS_ARE = new Set(['not_possible', 'paid_plan_runs', 'hostname_taken']);

type Handlers = Record<'searchPage' | 'search' | 'place' | 'act' | 'invoice', RequestHandler>;

/** What support sees and does (docs/remote-billing.md): finds a place, looks at it, and acts in two steps, with a reason. */
export function staffBillingRoutes(parts: StaffParts): Handlers {
  const showPlace = async (req: Request, res: Response, staff: Staff, name: PlaceName, said: Said): Promise<void> =>
    showPlacePage(parts, req, res, staff, name, await reading(parts, req, res)('read', name), said);

  const refused = (req: Request, error: unknown): Said => {
    const t = translateFor(parts, req);
    if (error instanceof AppError && AS_THINGS_ARE.has(error.code)) return { status: 409, alert: t(`staff.refused.${error.code}`), why: error.message };
    if (error instanceof AppError && error.code === 'invalid_request') return { status: 400, alert: t('staff.refused.form'), why: error.message };
    throw error;
  };

  return {
    searchPage: forStaff(parts, async (req, res, staff) => {
      const find = text(req.query['find']);
      const query = find === undefined ? undefined : parts.seal.open<string>('staff-search', find);
      const read = reading(parts, req, res);
      const found = query === undefined ? undefined : await read('search', { query });
      const pending = query === undefined ? await read('pending', { limit: MOST_PENDING }) : undefined;
      showSearch(req, res, staff, { query: query ?? '', found, pending }, find);
    }),

    /** What is looked for is somebody's address as a rule: it stands sealed in ours. */
    search: forStaff(parts, async (req, res, staff) => {
      const query = line(req.body as Input, 'query');
      if (query === '' || query.length > LONGEST_SEARCH) return showSearch(req, res, staff, { query, alert: translateFor(parts, req)('staff.search.missing') });
      return res.redirect(303, `${SECTIONS.billing}?${new URLSearchParams({ find: parts.seal.seal('staff-search', query) }).toString()}`);
    }),

    place: forStaff(parts, async (req, res, staff) => {
      const done = text(req.query['done']) ?? '';
      const note = Object.hasOwn(SUPPORT_FORMS, done) ? translateFor(parts, req)('staff.done') : undefined;
      const invoice = NUMBER.test(text(req.query['invoice']) ?? '') ? Number(req.query['invoice']) : undefined;
      await showPlace(req, res, staff, placeIn(req), { note, invoice });
    }),

    act: forStaff(parts, async (req, res, staff) => {
      const [name, input] = [placeIn(req), req.body as Input];
      const act = line(input, 'act');
      const form = Object.hasOwn(SUPPORT_FORMS, act) ? SUPPORT_FORMS[act] : undefined;
      if (!form) throw new AppError('invalid_request', 'Open the page again and use the form on it.');
      const wish = form.wish(input, name);
      if (!wish) return showPlace(req, res, staff, name, { status: 400, alert: translateFor(parts, req)('staff.refused.form') });
      const read = reading(parts, req, res);
      const agreed = form.agreed === undefined ? {} : form.agreed(input, wish);
      const [confirmed, reason] = [input['confirmed'] === 'yes' && agreed !== undefined, line(input, 'reason')];
      try {
        if (!confirmed || reason === '' || reason.length > LONGEST_REASON) {
          const outlook = await form.look(read, name, wish);
          return showOutlook(parts, req, res, staff, name, { act, input, wish, outlook, place: await read('read', name) }, confirmed ? 'reason' : undefined);
        }
        const { invoice_number: invoice } = await performing(parts, req, res, staff)(form.call, reason, { ...name, ...wish, ...agreed });
        const query = new URLSearchParams({ done: act, ...(invoice !== null && { invoice: String(invoice) }) });
        return res.redirect(303, `${baseOf(name)}?${query.toString()}`);
      } catch (error) {
        return showPlace(req, res, staff, name, refused(req, error));
      }
    }),

    invoice: forStaff(parts, async (req, res) => {
      const [name, number] = [placeIn(req), String(req.params['number'])];
      if (!NUMBER.test(number)) throw new AppError('not_found', 'Check the number of the invoice.');
      const invoice = await reading(parts, req, res)('invoice/read', { ...name, number: Number(number) });
      const language = languageOf(parts, req);
      const title = invoiceTitle(parts.pages.translate(language), invoice);
      show(parts, req, res, { template: 'billing-invoice', tokenFree: true, title, data: { invoice, money: inMoney(language, invoice.currency), date: inWords(language), back: baseOf(name) } });
    }),
  };

  function showSearch(req: Request, res: Response, staff: Staff, data: { query: string; found?: unknown; pending?: unknown; alert?: string }, find?: string): void {
    const t = translateFor(parts, req);
    showStaff(parts, req, res, staff, {
      section: 'billing',
      template: 'staff-billing',
      status: data.alert === undefined ? 200 : 400,
      title: t('staff.section.billing'),
      alert: data.alert,
      ...(find !== undefined && { languagePath: `${SECTIONS.billing}?${new URLSearchParams({ find }).toString()}` }),
      data: { found: undefined, pending: undefined, ...data, placeUrl: baseOf, date: inWords(languageOf(parts, req)) },
    });
  }
}

function placeIn(req: Request): PlaceName {
  const { kind, uuid } = req.params as { kind: string; uuid: string };
  if ((kind !== 'realm' && kind !== 'server') || !UUID.test(uuid)) throw new AppError('not_found', 'Check the address.');
  return { kind, uuid: uuid.toLowerCase() };
}
