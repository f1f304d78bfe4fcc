import type { RealmAdmin } from '../admin.ts';
import { describe, editsFor, PASSWORD, SUCCESSION, type Edit, type Purpose } from './rules.ts';
import { allSteps, flowPath, listFlows, readFlow, type Flow, type FlowHead, type Step } from './tree.ts';

const BEING_MADE = 'Vestibule is making this flow. Run apply again if it stays so.';
const WHOLE = 'Vestibule: ';
const OURS = /^(.+) with vestibule(?: (\d+))?$/;
const MOST_DESCRIPTION = 250;
const GAP = 10;

export interface StepKit {
  has: (provider: string) => boolean;
  /** What a new step is set up with; undefined for one without settings. */
  settingsOf: (provider: string) => Record<string, string> | undefined;
}

/** `browser` → `browser with vestibule` → `browser with vestibule 2`. */
export function nextAlias(alias: string, taken: ReadonlySet<string>): string {
  const base = OURS.exec(alias)?.[1] ?? alias;
  const first = `${base} with vestibule`;
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? first : `${first} ${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}

/** A run that was cut off has left it: no binding leads to it. */
export function isWhole({ description = '' }: Pick<FlowHead, 'description'>): boolean {
  return description.startsWith(WHOLE);
}

/**
 * Makes a flow that does what `original` does and, besides, what `purpose` asks for. The original is only read, and nobody
 * runs the copy before it is bound.
 */
export async function makeStandIn(admin: RealmAdmin, purpose: Purpose, original: Flow, alias: string, kit: StepKit): Promise<Flow> {
  await clearAway(admin, alias);
  const edits = editsFor(purpose, original, kit.has);
  const wraps = edits.some(({ does }) => does === 'wrap');
  const head = wraps ? await copyAsSubFlow(admin, original, alias) : await copyWhole(admin, original, alias);
  const read = (): Promise<Flow> => readFlow(admin, head);

  const copied = await read();
  const ids = new Map(pairUp(original.steps, wraps ? (copied.steps[0]?.subFlow?.steps ?? []) : copied.steps));
  for (const edit of edits) await perform(admin, await read(), edit, ids, kit);
  if (purpose !== 'direct grant') await putSuccession(admin, await read(), original, ids);

  const made = await read();
  const lacking = editsFor(purpose, made, kit.has);
  if (lacking.length > 0) throw new Error(`The flow "${alias}" came out wrong: ${lacking.map(describe).join('; ')}. It is not bound. Delete it and report this.`);
  const description = `${WHOLE}as "${original.alias}", and ${edits.map(describe).join('; ')}`.slice(0, MOST_DESCRIPTION);
  await putHead(admin, { ...head, description }, true);
  return { ...made, description };
}

/** By its alias, with what a run that was cut off left beside it. */
export async function clearAway(admin: RealmAdmin, alias: string): Promise<void> {
  const flows = await listFlows(admin);
  for (const { id } of flows.filter((flow) => flow.alias === alias || flow.alias === `${alias} ways in`)) await admin.delete(`/authentication/flows/${id}`);
  // A sub-flow that nothing holds is in no list: its first step tells its id.
  const [first] = (await admin.find<{ id: string }[]>(`${flowPath(`${alias} form`)}/executions`)) ?? [];
  if (first === undefined) return;
  const { parentFlow } = await admin.get<{ parentFlow: string }>(`/authentication/executions/${first.id}`);
  await admin.delete(`/authentication/flows/${parentFlow}`);
}

async function copyWhole(admin: RealmAdmin, original: Flow, alias: string): Promise<FlowHead> {
  const id = await admin.post(`${flowPath(original.alias)}/copy`, { newName: alias });
  const head: FlowHead = { id, alias, description: BEING_MADE, providerId: 'basic-flow', builtIn: false };
  await putHead(admin, head, true);
  return head;
}

/** Keycloak copies whole flows only, with the secrets in their settings, which it shows to nobody. */
async function copyAsSubFlow(admin: RealmAdmin, original: Flow, alias: string): Promise<FlowHead> {
  const inner = `${alias} ways in`;
  const innerId = await admin.post(`${flowPath(original.alias)}/copy`, { newName: inner });
  const head = { alias, description: BEING_MADE, providerId: 'basic-flow', builtIn: false };
  const id = await admin.post('/authentication/flows', { ...head, topLevel: true });
  await attach(admin, id, { flowId: innerId, requirement: 'REQUIRED', priority: GAP });
  await putHead(admin, { ...head, id: innerId, alias: inner, description: `As "${original.alias}"` }, false);
  return { ...head, id };
}

async function putHead(admin: RealmAdmin, head: FlowHead, topLevel: boolean): Promise<void> {
  await admin.put(`/authentication/flows/${head.id}`, { ...head, topLevel });
}

/** The ids of steps, each with that of its copy. */
function pairUp(originals: readonly Step[], copies: readonly Step[]): [string, string][] {
  return originals.flatMap((original, index): [string, string][] => {
    const copy = copies[index];
    if (copy === undefined || copy.provider !== original.provider) throw new Error('Keycloak copied a flow otherwise than it stood there. Somebody is changing it: run apply again.');
    return [[original.id, copy.id], ...pairUp(original.subFlow?.steps ?? [], copy.subFlow?.steps ?? [])];
  });
}

/** Keeps `ids` true: what stood for a step of the original may be another one afterwards. */
async function perform(admin: RealmAdmin, flow: Flow, edit: Edit, ids: Map<string, string>, kit: StepKit): Promise<void> {
  const priorities = flow.steps.map(({ priority }) => priority);
  if (edit.does === 'put first') await putStep(admin, flow, edit.provider, Math.min(...priorities) - GAP, kit);
  if (edit.does === 'put last') await putStep(admin, flow, edit.provider, Math.max(...priorities) + GAP, kit);
  if (!('step' in edit)) return;
  const step = allSteps(flow.steps).find(({ id }) => id === ids.get(edit.step.id));
  if (step === undefined) throw new Error(`The copy "${flow.alias}" lost a step. Run apply again.`);
  if (edit.does === 'replace') return replace(admin, flow, step, edit.by, ids, kit);
  if (edit.does === 'replace page') return replacePage(admin, flow, step, edit.by, ids);
  const before = flow.steps.filter(({ priority }) => priority < step.priority).map(({ priority }) => priority);
  await putStep(admin, flow, edit.provider, Math.max(...before, step.priority - GAP) + 1, kit);
}

async function putStep(admin: RealmAdmin, flow: Flow, authenticator: string, priority: number, kit: StepKit): Promise<void> {
  const id = await attach(admin, flow.id, { authenticator, requirement: 'REQUIRED', priority });
  const config = kit.settingsOf(authenticator);
  if (config !== undefined) await setUp(admin, id, `${flow.alias} ${authenticator}`, config);
}

async function replace(admin: RealmAdmin, flow: Flow, step: Step, by: string, ids: Map<string, string>, kit: StepKit): Promise<void> {
  const parentFlow = parentOf(flow, step);
  const { requirement, priority } = step;
  const id = await attach(admin, parentFlow, { authenticator: by, requirement, priority });
  const config = { ...step.settings?.config, ...(by === PASSWORD ? {} : kit.settingsOf(by)) };
  if (Object.keys(config).length > 0) await setUp(admin, id, `${flow.alias} ${by} ${id.slice(0, 4)}`, config);
  await admin.delete(`/authentication/executions/${step.id}`);
  stand(ids, step.id, id);
}

/** A page can't be changed: its form is copied once more, under the other page. */
async function replacePage(admin: RealmAdmin, flow: Flow, step: Step, by: string, ids: Map<string, string>): Promise<void> {
  const form = step.subFlow as NonNullable<Step['subFlow']>;
  const flowId = await admin.post(`${flowPath(form.alias)}/copy`, { newName: `${flow.alias} form` });
  const id = await attach(admin, parentOf(flow, step), { flowId, authenticator: by, requirement: step.requirement, priority: step.priority });
  const copy = allSteps((await readFlow(admin, flow)).steps).find((one) => one.id === id);
  for (const [former, id] of pairUp(form.steps, copy?.subFlow?.steps ?? [])) stand(ids, former, id);
  await admin.delete(`/authentication/executions/${step.id}`);
  stand(ids, step.id, id);
}

function stand(ids: Map<string, string>, former: string, id: string): void {
  for (const [original, copy] of ids) if (copy === former) ids.set(original, id);
}

async function putSuccession(admin: RealmAdmin, flow: Flow, original: Flow, ids: ReadonlyMap<string, string>): Promise<void> {
  const own = flow.steps.find(({ provider }) => provider === SUCCESSION);
  const former = original.steps.find(({ provider }) => provider === SUCCESSION);
  // Somebody may still stand in the flow before the last one.
  const older = (former?.settings?.config['sameSteps'] ?? '').split('##').flatMap((pair): [string, string][] => {
    const [from = '', to = ''] = pair.split('=');
    const today = ids.get(to);
    return today === undefined ? [] : [[from, today]];
  });
  const sameSteps = [...ids, ...older].map(([from, to]) => `${from}=${to}`).join('##');
  if (own?.settings !== undefined) return admin.put(`/authentication/config/${own.settings.id}`, { ...own.settings, config: { sameSteps } });
  const priority = Math.min(...flow.steps.map((step) => step.priority)) - GAP;
  await setUp(admin, await attach(admin, flow.id, { authenticator: SUCCESSION, requirement: 'REQUIRED', priority }), `${flow.alias} ${SUCCESSION}`, { sameSteps });
}

function attach(admin: RealmAdmin, parentFlow: string, step: { flowId?: string; authenticator?: string; requirement: string; priority: number }): Promise<string> {
  return admin.post('/authentication/executions', { parentFlow, authenticatorFlow: step.flowId !== undefined, ...step });
}

async function setUp(admin: RealmAdmin, executionId: string, alias: string, config: Record<string, string>): Promise<void> {
  await admin.post(`/authentication/executions/${executionId}/config`, { alias, config });
}

function parentOf(flow: Flow, step: Step): string {
  const parent = allSteps(flow.steps).find(({ subFlow }) => subFlow?.steps.some(({ id }) => id === step.id));
  return parent?.subFlow?.id ?? flow.id;
}
