import type { Request, RequestHandler, Response } from 'express';
import { AppError } from '../../../platform/problem.ts';
import { text, translateFor } from '../../pages/show.ts';
import { askForStaff } from '../staff-bridge.ts';
import { forStaff, type Staff, type StaffParts } from '../staff-gate.ts';
import { SECTIONS, showStaff } from '../staff-pages.ts';
import { showFunnel } from './funnel-page.ts';
import { actNamed, callOf, isTrialAct, line, wrongField, type Input, type TrialActName } from './trial-acts.ts';
import { datesFor, productChoices, productName, query, showErase, showTrial, trialPath } from './trial-page.ts';
import { STATES, type Trial, type TrialPage } from './trial-wire.ts';

const ON_A_PAGE = 25;
const LONGEST_SEARCH = 320;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** What can be refused as things are (409), and is said on the page. A form out of the browser's history still has its key. */
const AS_THINGS_ARE = new Set(['impossible_transition', 'not_possible', 'idempotency_key_reused']);

interface Filter {
  product: string;
  state: string;
  search: string;
}

type Handlers = Record<'listPage' | 'search' | 'trial' | 'act' | 'export' | 'funnel', RequestHandler>;

/** What staff sees of trials and does with them (docs/trial-life.md, "For staff"). */
export function staffTrialsRoutes(parts: StaffParts): Handlers {
  const get = <Reply>(req: Request, res: Response, path: string): Promise<Reply> => askForStaff<Reply>(parts, req, res, path, {}, { method: 'GET' });
  const read = (req: Request, res: Response): Promise<Trial> => get<Trial>(req, res, `/api/trial/${idIn(req)}`);

  const sayRefusal = async (req: Request, res: Response, staff: Staff, act: TrialActName, error: unknown): Promise<void> => {
    if (!(error instanceof AppError) || !(AS_THINGS_ARE.has(error.code) || error.code === 'invalid_request')) throw error;
    const t = translateFor(parts, req);
    const trial = await read(req, res);
    const possible = trial.possible.map((one) => t(`trials.act.${one}.title`)).join(', ') || t('trials.nothing_possible');
    const why = error.code === 'not_possible' ? act : error.code === 'invalid_request' ? 'form' : error.code;
    const alert = t(`trials.refused.${why}`, { state: t(`trials.state.${trial.state}`), possible });
    showTrial(parts, req, res, staff, trial, { status: AS_THINGS_ARE.has(error.code) ? 409 : 400, alert, sent: { act, input: req.body as Input, wrong: error.field } });
  };

  return {
    listPage: forStaff(parts, async (req, res, staff) => {
      const find = text(req.query['find']);
      const filter: Filter = {
        product: parts.products.find(({ id }) => id === req.query['product'])?.id ?? '',
        state: STATES.find((one) => one === req.query['state']) ?? '',
        search: (find === undefined ? undefined : parts.seal.open<string>('staff-search', find)) ?? '',
      };
      const after = text(req.query['after']) ?? '';
      const { trials, next_cursor: next } = await get<TrialPage>(req, res, `/api/trial?${query({ ...filter, cursor: after, limit: String(ON_A_PAGE) })}`);
      const t = translateFor(parts, req);
      const kept = { product: filter.product, state: filter.state, find: filter.search === '' ? '' : (find ?? '') };
      showStaff(parts, req, res, staff, {
        section: 'trials',
        template: 'staff-trials',
        title: t('trials.title'),
        languagePath: `${SECTIONS.trials}?${query(kept)}`,
        data: {
          ...filter,
          products: productChoices(parts, filter.product),
          states: STATES.map((one) => ({ value: one, label: t(`trials.state.${one}`), chosen: one === filter.state })),
          trials: trials.map((one) => ({ ...one, href: trialPath(one.id), product: productName(parts, one.product), ends: datesFor(parts, req, one.product).day(one.trial_ends_at), began: datesFor(parts, req, one.product).day(one.began_at) })),
          olderUrl: next === null ? undefined : `${SECTIONS.trials}?${query({ ...kept, after: next })}`,
          newestUrl: after === '' ? undefined : `${SECTIONS.trials}?${query(kept)}`,
        },
      });
    }),

    /** What is looked for is somebody's address as a rule: it stands sealed in ours. */
    search: forStaff(parts, (req, res) => {
      const input = req.body as Input;
      const search = line(input, 'search').slice(0, LONGEST_SEARCH);
      const find = search === '' ? '' : parts.seal.seal('staff-search', search);
      return res.redirect(303, `${SECTIONS.trials}?${query({ product: line(input, 'product'), state: line(input, 'state'), find })}`);
    }),

    trial: forStaff(parts, async (req, res, staff) => {
      const trial = await read(req, res);
      const done = req.query['done'];
      const t = translateFor(parts, req);
      const late = trial.held_by_keycloak && trial.erasure !== 'under_way' ? '' : ` ${t('trials.not_held')}`;
      showTrial(parts, req, res, staff, trial, { note: isTrialAct(done) ? t(`trials.act.${done}.done`) + late : undefined });
    }),

    act: forStaff(parts, async (req, res, staff) => {
      const input = req.body as Input;
      const { act } = input;
      if (!isTrialAct(act)) throw new AppError('invalid_request', 'There is no such act.');
      const trial = await read(req, res);
      const wrong = wrongField(act, input);
      if (wrong !== undefined) return showTrial(parts, req, res, staff, trial, { status: 400, alert: translateFor(parts, req)(`trials.wrong.${wrong}`), sent: { act, input, wrong } });
      if (actNamed(act).twice && input['confirmed'] !== 'yes') return showErase(parts, req, res, staff, trial, input);
      const { path, message, how } = callOf(act, trial, input, staff.id);
      try {
        await askForStaff(parts, req, res, path, message, how);
      } catch (error) {
        return sayRefusal(req, res, staff, act, error);
      }
      return res.redirect(303, `${trialPath(trial.id)}?done=${act}`);
    }),

    export: forStaff(parts, async (req, res) => {
      const id = idIn(req);
      const all = await get<object>(req, res, `/api/trial/${id}/export`);
      res.set('Content-Disposition', `attachment; filename="trial-${id}.json"`).type('application/json').send(`${JSON.stringify(all, null, 2)}\n`);
    }),

    funnel: forStaff(parts, (req, res, staff) => showFunnel(parts, req, res, staff)),
  };
}

function idIn(req: Request): string {
  const id = text(req.params['id']) ?? '';
  if (!UUID.test(id)) throw new AppError('not_found', 'There is no such trial.');
  return id.toLowerCase();
}
