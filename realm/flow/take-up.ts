import type { RealmAdmin } from '../admin.ts';
import type { Change } from '../change.ts';
import type { TakenUp } from '../record.ts';
import { differing, shown } from '../same.ts';
import type { StepSettings } from '../shipped.ts';
import { bind, placesIn, type Owners, type Place } from './places.ts';
import { describe, editsFor, END, type Purpose } from './rules.ts';
import { clearAway, isWhole, makeStandIn, nextAlias, type StepKit } from './stand-in.ts';
import { allSteps, listFlows, readFlow, shapeOf, type Flow } from './tree.ts';

export interface FlowContext {
  admin: RealmAdmin;
  owners: Owners;
  record: TakenUp;
  kit: StepKit;
  /** Of the flow for identity providers that have none after a login. */
  afterProvider: { alias: string; description: string };
  settings: (provider: string) => StepSettings;
}

const BINDING_WHY: Readonly<Record<Purpose, string>> = {
  browser: 'A trial that is over ends every sign-in',
  registration: 'An invitation opens the form with its address locked; without one it is the form of before, or closed',
  'direct grant': 'A trial that is over ends every sign-in',
  'reset credentials': 'It signs in without the browser flow',
  'first broker login': 'An identity provider makes accounts for whom it says to be the invited one, and for others only where one may register without an invitation',
  'post broker login': 'A sign-in through an identity provider leaves the browser flow',
};

interface Wanted {
  place: Place;
  alias: string;
}

/** Which flow each place shall have, the flows to make for that, and the settings of steps that are there. */
export async function flowChanges(context: FlowContext): Promise<{ changes: Change[]; bindings: Change[]; standIns: TakenUp['standIns']; unknown: Place[] }> {
  const { admin, owners, record, kit } = context;
  const heads = new Map(owners.flows.map((head) => [head.alias, head]));
  const taken = new Set(heads.keys());
  const places = placesIn(owners);
  const bound = new Set(places.flatMap(({ alias }) => alias ?? []));
  for (const [alias, head] of heads) if (alias in record.standIns && !isWhole(head) && !bound.has(alias)) taken.delete(alias);

  const changes: Change[] = [];
  const wanted: Wanted[] = [];
  const unknown: Place[] = [];
  const standIns: TakenUp['standIns'] = {};
  const kept: Flow[] = [];
  const chosen = new Map<string, string>();
  for (const place of places) {
    if (place.alias === undefined) {
      const { alias } = context.afterProvider;
      const known = heads.get(alias);
      const whole = known !== undefined && (bound.has(alias) || editsFor(place.purpose, await readFlow(admin, known), kit.has).length === 0);
      if (!whole && !(alias in standIns)) changes.push(newAfterProvider(context));
      standIns[alias] = { purpose: place.purpose };
      wanted.push({ place, alias });
      continue;
    }
    const head = heads.get(place.alias);
    if (head === undefined) {
      unknown.push(place);
      continue;
    }
    const original = await readFlow(admin, head);
    const edits = editsFor(place.purpose, original, kit.has);
    if (edits.length === 0) {
      kept.push(original);
      continue;
    }
    const key = `${place.purpose} ${place.alias}`;
    let alias = chosen.get(key) ?? (await madeBefore(context, place.purpose, original));
    if (alias === undefined) {
      alias = nextAlias(place.alias, taken);
      changes.push({
        subject: `flow "${alias}"`,
        what: `is made: as "${original.alias}", and ${edits.map(describe).join('; ')}`,
        why: `"${original.alias}" itself stays as it is`,
        make: () => makeUnlessWhole(context, place.purpose, original, alias as string),
      });
      standIns[alias] = { purpose: place.purpose, original: { alias: original.alias, shape: shapeOf(original) } };
    }
    taken.add(alias);
    chosen.set(key, alias);
    wanted.push({ place, alias });
  }
  return { changes: [...changes, ...settingChanges(context, kept)], bindings: bindingChanges(context, wanted), standIns, unknown };
}

/** After `stock` the flows are there still: unless somebody changed the original, or this release wants more. */
async function madeBefore({ admin, owners, record, kit }: FlowContext, purpose: Purpose, original: Flow): Promise<string | undefined> {
  for (const head of owners.flows.filter(isWhole)) {
    const known = record.standIns[head.alias];
    if (known?.purpose !== purpose || known.original?.alias !== original.alias || known.original.shape !== shapeOf(original)) continue;
    if (editsFor(purpose, await readFlow(admin, head), kit.has).length === 0) return head.alias;
  }
  return undefined;
}

async function makeUnlessWhole({ admin, kit }: FlowContext, purpose: Purpose, original: Flow, alias: string): Promise<void> {
  const found = (await listFlows(admin)).find((flow) => flow.alias === alias);
  if (found === undefined || !isWhole(found)) await makeStandIn(admin, purpose, original, alias, kit);
}

function newAfterProvider({ admin, kit, afterProvider: { alias, description } }: FlowContext): Change {
  return {
    subject: `flow "${alias}"`,
    what: `is made: ${END} alone`,
    why: 'For identity providers that have no post login flow',
    make: async () => {
      await clearAway(admin, alias);
      const id = await admin.post('/authentication/flows', { alias, description, providerId: 'basic-flow', topLevel: true, builtIn: false });
      const step = await admin.post('/authentication/executions', { parentFlow: id, authenticator: END, authenticatorFlow: false, requirement: 'REQUIRED', priority: 10 });
      await admin.post(`/authentication/executions/${step}/config`, { alias: `${alias} ${END}`, config: kit.settingsOf(END) });
    },
  };
}

/** Addresses follow the environment; the rest is the admin's, above all who may register without an invitation. */
function settingChanges({ admin, settings }: FlowContext, flows: readonly Flow[]): Change[] {
  const seen = new Set<string>();
  return flows.flatMap((flow) =>
    allSteps(flow.steps).flatMap((step): Change[] => {
      const live = step.settings;
      const { values, addresses } = settings(step.provider ?? '');
      if (live === undefined || seen.has(live.id)) return [];
      seen.add(live.id);
      const fields = differing(live.config, values).filter((key) => addresses.includes(key) || !(key in live.config)).filter((key) => values[key] !== '' && !key.startsWith('withoutInvitation'));
      if (fields.length === 0) return [];
      const pick = (from: Record<string, string>): string => fields.map((key) => `${key}: ${shown(from[key])}`).join('; ');
      return [
        {
          subject: `flow "${flow.alias}"`,
          what: `settings of ${step.provider} change`,
          why: 'They follow the environment',
          before: pick(live.config),
          after: pick(values),
          make: () => admin.put(`/authentication/config/${live.id}`, { ...live, config: { ...live.config, ...Object.fromEntries(fields.map((key) => [key, values[key]])) } }),
        },
      ];
    }),
  );
}

function bindingChanges({ admin, owners, record }: FlowContext, wanted: readonly Wanted[]): Change[] {
  const opens = !owners.realm.registrationAllowed;
  const byOwner = Map.groupBy(wanted, ({ place }) => place.owner);
  if (opens && !byOwner.has('realm')) byOwner.set('realm', []);
  return [...byOwner].map(([owner, bindings]) => {
    const withSwitch = owner === 'realm' && opens;
    return {
      subject: owner,
      what: [...(bindings.length > 0 ? ['flows are bound'] : []), ...(withSwitch ? ['user registration is switched on'] : [])].join('; '),
      why: [
        ...new Set(bindings.map(({ place }) => BINDING_WHY[place.purpose])),
        ...(withSwitch ? ['An invitation reaches the form only so. It stays closed: without an invitation people see a page that says so'] : []),
      ].join('. '),
      before: [...bindings.map(({ place }) => `${place.purpose}: ${place.alias ?? '(none)'}`), ...(withSwitch ? ['user registration: off'] : [])].join('; '),
      after: [...bindings.map(({ place, alias }) => `${place.purpose}: ${alias}`), ...(withSwitch ? [`user registration: on, ${record.registrationAllowed ? 'open' : 'by invitation'}`] : [])].join('; '),
      make: () => bind(admin, owner, new Map(bindings.map(({ place, alias }) => [place.field, alias])), withSwitch ? { registrationAllowed: true } : {}),
    };
  });
}
