import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { stack } from '../test/support/stack.ts';
import { shuffled } from './order.ts';
import { signUp } from './realms/flow.ts';
import { invite } from './realms/invitations.ts';
import { PARTS, processorTimes, takenBetween, type Part } from './realms/processor-time.ts';
import { makeStockRealm, removeStockRealm, STOCK_REALM } from './realms/stock-realm.ts';
import { atLeast, printRows, type Row } from './report.ts';
import { median } from './statistics.ts';

const ROUNDS = 11;
const SIGN_UPS = 40;
/** Java's compiler takes half of what the first thousands of registrations cost, for both alike; what only an invitation runs is compiled last. */
const WARM_UP_ROUNDS = 25;
const AT_ONCE = 8;
/** After the redirect Keycloak still tells the bridge what came of it: that belongs to this batch, not to the next one. */
const SETTLE_MILLISECONDS = 400;

interface Look {
  perSecond: number;
  /** Of each registration, in ms; undefined where nobody can tell. */
  taken: ReadonlyMap<Part, number> | undefined;
}

type SignUp = () => Promise<void>;

/** Whole registrations a second, from opening the page to the code: by invitation through our flow, and by Keycloak alone. */
export async function signup({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { rounds: 1, signUps: 4, warmUp: 0 } : { rounds: ROUNDS, signUps: SIGN_UPS, warmUp: WARM_UP_ROUNDS };
  await makeStockRealm();
  try {
    const kinds: readonly { batch: (count: number) => Promise<readonly SignUp[]>; looks: Look[] }[] = [
      { batch: invited, looks: [] },
      { batch: alone, looks: [] },
    ];
    for (let round = -plan.warmUp; round < plan.rounds; round += 1) {
      for (const { batch, looks } of shuffled(kinds)) {
        const look = await watch(await batch(plan.signUps));
        if (round >= 0) looks.push(look);
      }
    }
    const [ours, stock] = kinds.map(({ looks }) => looks) as [Look[], Look[]];
    const rate = (looks: readonly Look[]): number => median(looks.map(({ perSecond }) => perSecond));
    const rows = [atLeast(0.9, "registrations by invitation, against Keycloak's own", '1/s', rate(ours), rate(stock)), ...PARTS.flatMap((part) => processorTime(part, ours, stock))];
    printRows(rows);
    return { rounds: plan.rounds, signUpsEach: plan.signUps, atOnce: AT_ONCE, rows };
  } finally {
    await removeStockRealm();
  }
}

async function invited(count: number): Promise<readonly SignUp[]> {
  const invitations = await invite('sign-up', count);
  return invitations.map(({ token }) => () => signUp(stack().realm, { invitation: token }));
}

async function alone(count: number): Promise<readonly SignUp[]> {
  return Array.from({ length: count }, () => () => signUp(STOCK_REALM, { address: `alone-${randomUUID()}@example.com` }));
}

async function watch(tasks: readonly SignUp[]): Promise<Look> {
  const before = await processorTimes();
  const perSecond = await doAll(tasks);
  await delay(SETTLE_MILLISECONDS);
  const after = await processorTimes();
  const taken = before && after && new Map([...takenBetween(before, after)].map(([part, ms]) => [part, ms / tasks.length]));
  return { perSecond, taken };
}

async function doAll(tasks: readonly SignUp[]): Promise<number> {
  const waiting = [...tasks];
  const started = performance.now();
  const work = async (): Promise<void> => {
    for (let task = waiting.pop(); task !== undefined; task = waiting.pop()) await task();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return tasks.length / ((performance.now() - started) / 1000);
}

/** Without a target: where the difference goes. */
function processorTime(part: Part, ours: readonly Look[], stock: readonly Look[]): readonly Row[] {
  const [value, peer] = [ours, stock].map((looks) => median(looks.flatMap(({ taken }) => taken?.get(part) ?? []))) as [number, number];
  return Number.isNaN(value) || value === undefined ? [] : [{ measured: `processor time of a registration: ${part}`, value, unit: 'ms', peer }];
}
