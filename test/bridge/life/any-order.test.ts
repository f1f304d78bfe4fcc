import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { array, assert, asyncProperty, constant, integer, oneof, record, type Arbitrary } from 'fast-check';
import { findDisagreements } from '../../../bridge/doctor/consistency.ts';
import { addJob } from '../../../bridge/db/job.ts';
import { openBridge, type TestBridge } from '../support/bridge.ts';
import { read, signedUp, type Person } from './person.ts';

const DAY = 86_400;
const REMIND_DAYS = 7;
const GRACE_DAYS = 3;
const BECAUSE = { reason: 'Any order.' };

type Step = { does: 'pass'; days: number } | { does: 'extend'; days: number } | { does: 'convert' } | { does: 'revoke' } | { does: 'resend' } | { does: 'erase' } | { does: 'sweep' } | { does: 'keycloak'; away: boolean };

const step: Arbitrary<Step> = oneof(
  { weight: 4, arbitrary: record({ does: constant('pass' as const), days: integer({ min: 1, max: 12 }) }) },
  { weight: 3, arbitrary: record({ does: constant('extend' as const), days: integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: record({ does: constant('convert' as const) }) },
  { weight: 1, arbitrary: record({ does: constant('revoke' as const) }) },
  { weight: 1, arbitrary: record({ does: constant('resend' as const) }) },
  { weight: 1, arbitrary: record({ does: constant('erase' as const) }) },
  { weight: 2, arbitrary: record({ does: constant('sweep' as const) }) },
  { weight: 1, arbitrary: record({ does: constant('keycloak' as const), away: constant(true) }) },
  { weight: 1, arbitrary: record({ does: constant('keycloak' as const), away: constant(false) }) },
);

/** What the issue says, without a database. */
interface Model {
  ends: number | null;
  over: 'converted' | 'revoked' | 'erased' | undefined;
}

/** What was over before stays as it was. */
const ERASED = { state: expect.stringMatching(/^(revoked|expired)$/), trial_ends_at: null, erasure: 'done' };

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

const now = () => bridge.clock.now().getTime() / 1000;
const sweep = async () => {
  await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
  await bridge.settled();
};

function stateOf({ ends, over }: Model): string {
  if (over !== undefined || ends === null) return over ?? 'converted';
  if (now() >= ends + GRACE_DAYS * DAY) return 'expired';
  if (now() >= ends) return 'grace';
  return now() >= ends - REMIND_DAYS * DAY ? 'ending' : 'active';
}

/** Answers the status of what was asked for, and those that it may have. */
async function take(ada: Person, model: Model, one: Step): Promise<readonly [number, readonly number[]]> {
  const whose = { user_id: ada.userId, ...BECAUSE };
  // By the user's id nobody is found any more once an erasure is done.
  const expected = model.over === undefined ? [200] : model.over === 'erased' ? [409, 404] : [409];
  if (one.does === 'pass') bridge.clock.pass(one.days * DAY);
  if (one.does === 'sweep') await Promise.all([sweep(), sweep()]);
  if (one.does === 'keycloak') bridge.keeper.fail(one.away);
  if (one.does === 'extend') {
    if (model.over === undefined) model.ends = Math.max(model.ends ?? 0, now()) + one.days * DAY;
    return [(await bridge.asManager('/api/trial/extend', { ...whose, days: one.days })).status, expected];
  }
  if (one.does === 'convert') {
    if (model.over === undefined) Object.assign(model, { over: 'converted', ends: null });
    return [(await bridge.asManager('/api/trial/completion', whose)).status, expected];
  }
  if (one.does === 'revoke') {
    if (model.over === undefined) Object.assign(model, { over: 'revoked', ends: Math.min(model.ends ?? 0, now()) });
    return [(await bridge.asManager(`/api/trial/${ada.id}/revoke`, BECAUSE)).status, expected];
  }
  if (one.does === 'resend') return [(await bridge.asManager(`/api/trial/${ada.id}/resend`, BECAUSE)).status, model.over === 'revoked' || model.over === 'erased' ? [409] : [200]];
  if (one.does === 'erase') {
    model.over = 'erased';
    return [(await bridge.asManager(`/api/trial/${ada.id}`, BECAUSE, {}, 'DELETE')).status, [200]];
  }
  return [200, [200]];
}

test('any order of any commands keeps what is promised, and the doctor finds nothing', async () => {
  await assert(
    asyncProperty(array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const ada = await signedUp(bridge);
      const model: Model = { ends: now() + 14 * DAY, over: undefined };
      for (const one of steps) {
        const [status, expected] = await take(ada, model, one);
        expect(expected).toContain(status);
        // Who is let in is decided by the instants alone, swept or not.
        const { body } = await bridge.asStep(`/api/trial/infos?user_id=${ada.userId}`);
        expect(model.over === 'erased' ? body['trial'] !== true || body['expired'] : body['expired']).toBe(model.over === 'erased' || model.over === 'revoked' || (model.ends !== null && now() >= model.ends + GRACE_DAYS * DAY));
      }
      bridge.keeper.fail(false);
      await sweep();
      await bridge.hurry();
      const { state, timeline, trial_ends_at, held_by_keycloak, erasure } = await read(bridge, ada);
      const expected = model.over === 'erased' ? ERASED : { state: stateOf(model), trial_ends_at: model.ends, erasure: null };
      expect({ state, trial_ends_at, erasure, held_by_keycloak }).toEqual({ ...expected, held_by_keycloak: true });
      const turns = timeline.filter(({ from, to }) => from !== null && to !== null && from !== to);
      expect(turns.slice(1).map(({ from }) => from)).toEqual(turns.slice(0, -1).map(({ to }) => to));
      expect(turns.at(-1)?.to ?? 'active').toBe(state);
      await (model.over === 'erased' ? nothingIsLeft(ada) : agree(ada));
    }),
    { numRuns: 40, examples: [[[{ does: 'keycloak', away: true }, { does: 'erase' }, { does: 'extend', days: 3 }]], [[{ does: 'convert' }, { does: 'resend' }, { does: 'erase' }, { does: 'resend' }]]] },
  );
});

/** Rows, stamps and feed say the same. */
async function agree(ada: Person): Promise<void> {
  const stamp = bridge.keeper.stampOf(ada.userId);
  const [change] = await bridge.db.selectFrom('bridge.trial_change').selectAll().where('user_id', '=', ada.userId).execute();
  const [trial] = await bridge.db.selectFrom('bridge.trial').selectAll().where('user_id', '=', ada.userId).execute();
  expect(change?.trial_access_until).toEqual(trial?.trial_access_until);
  if (stamp === undefined) return;
  const [app] = await bridge.db.selectFrom('bridge.trial_app').select('id').where('trial_id', '=', trial!.id).execute();
  const account = { id: ada.userId, username: ada.address, emailVerified: true, stamps: [JSON.stringify(stamp)] };
  const keycloak = { listStamped: async () => [account], findById: async (id: string) => (id === ada.userId ? account : undefined) };
  const findings = await findDisagreements(bridge.db, keycloak, bridge.clock, { movedClock: false });
  expect(findings.filter(({ subject }) => [ada.userId, ada.id, app!.id].some((name) => subject.includes(name)))).toEqual([]);
}

async function nothingIsLeft(ada: Person): Promise<void> {
  expect(bridge.keeper.stampOf(ada.userId)).toBeUndefined();
  for (const table of ['bridge.trial', 'bridge.registration'] as const) expect(await bridge.db.selectFrom(table).select('product').where('user_id', '=', ada.userId).execute()).toEqual([]);
  expect(await bridge.db.selectFrom('bridge.life').select(['address', 'user_id']).where('id', '=', ada.id).execute()).toEqual([{ address: null, user_id: null }]);
  const findings = await findDisagreements(bridge.db, { listStamped: async () => [], findById: async () => undefined }, bridge.clock, { movedClock: false });
  expect(findings.filter(({ subject }) => subject.includes(ada.userId) || subject.includes(ada.id))).toEqual([]);
}
