import { randomUUID } from 'node:crypto';
import { stack } from '../test/support/stack.ts';
import { shuffled } from './order.ts';
import { signUp } from './realms/flow.ts';
import { invite } from './realms/invitations.ts';
import { makeStockRealm, removeStockRealm, STOCK_REALM } from './realms/stock-realm.ts';
import { atLeast, printRows } from './report.ts';
import { median } from './statistics.ts';

const ROUNDS = 11;
const SIGN_UPS = 40;
/** The first thousand requests of a Keycloak are slower than all others, and an invitation runs more code for the first time. */
const WARM_UP_ROUNDS = 8;
const AT_ONCE = 8;

/** Signs up so many people, that many at once. Answers how many a second. */
type Batch = (count: number) => Promise<number>;

/** Whole registrations a second, from opening the page to the code: by invitation through our flow, and by Keycloak alone. */
export async function signup({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { rounds: 1, signUps: 4, warmUp: 0 } : { rounds: ROUNDS, signUps: SIGN_UPS, warmUp: WARM_UP_ROUNDS };
  await makeStockRealm();
  try {
    const kinds: readonly { batch: Batch; rates: number[] }[] = [
      { batch: invited, rates: [] },
      { batch: alone, rates: [] },
    ];
    for (let round = -plan.warmUp; round < plan.rounds; round += 1) {
      for (const { batch, rates } of shuffled(kinds)) {
        const rate = await batch(plan.signUps);
        if (round >= 0) rates.push(rate);
      }
    }
    const [ours, stock] = kinds.map(({ rates }) => median(rates)) as [number, number];
    const rows = [atLeast(0.9, "registrations by invitation, against Keycloak's own", '1/s', ours, stock)];
    printRows(rows);
    return { rounds: plan.rounds, signUpsEach: plan.signUps, atOnce: AT_ONCE, rows };
  } finally {
    await removeStockRealm();
  }
}

async function invited(count: number): Promise<number> {
  const invitations = await invite('sign-up', count);
  return perSecond(invitations.map(({ token }) => () => signUp(stack().realm, { invitation: token })));
}

function alone(count: number): Promise<number> {
  return perSecond(Array.from({ length: count }, () => () => signUp(STOCK_REALM, { address: `alone-${randomUUID()}@example.com` })));
}

async function perSecond(tasks: readonly (() => Promise<void>)[]): Promise<number> {
  const waiting = [...tasks];
  const started = performance.now();
  const work = async (): Promise<void> => {
    for (let task = waiting.pop(); task !== undefined; task = waiting.pop()) await task();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return tasks.length / ((performance.now() - started) / 1000);
}
