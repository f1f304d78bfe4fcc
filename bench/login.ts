import { freshAddress } from '../test/support/person.ts';
import { stack } from '../test/support/stack.ts';
import { shuffled } from './order.ts';
import { keycloakCpu } from './realms/cpu.ts';
import { PASSWORD, signIn, signUp } from './realms/flow.ts';
import { invite } from './realms/invitations.ts';
import { createUser, makeStockRealm, removeStockRealm, STOCK_REALM } from './realms/stock-realm.ts';
import { atMost, printRows, type Row } from './report.ts';
import { median } from './statistics.ts';

const ROUNDS = 25;
/** Of each kind in a round, one after the other. */
const LOGINS = 8;
const WARM_UP_ROUNDS = 12;
const LIMIT = 1.05;

interface Kind {
  name: 'stock' | 'without a trial' | 'with a trial';
  realm: string;
  usernames: readonly string[];
}

interface Look {
  kind: Kind;
  /** Per login: what one person waits for Keycloak, and what Keycloak's process works. */
  milliseconds: number;
  cpu: number;
}

/** What our flows add to a password login, for people without a trial and for those with one, about whom Keycloak asks the bridge. */
export async function login({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { rounds: 1, logins: 2, warmUp: 0 } : { rounds: ROUNDS, logins: LOGINS, warmUp: WARM_UP_ROUNDS };
  await makeStockRealm();
  try {
    const kinds = await people(plan.logins);
    const looks: Look[] = [];
    for (let round = -plan.warmUp; round < plan.rounds; round += 1) {
      for (const kind of shuffled(kinds)) {
        const look = await signInAll(kind);
        if (round >= 0) looks.push(look);
      }
    }
    const rows = judge(looks);
    printRows(rows);
    return { rounds: plan.rounds, loginsEach: plan.logins, rows };
  } finally {
    await removeStockRealm();
  }
}

/** As many accounts as a batch has logins: Keycloak refuses a second one of the same person while the first is still ending (brute-force protection). */
async function people(count: number): Promise<readonly Kind[]> {
  const { realm } = stack();
  const invited = await invite('login', count);
  for (const { token } of invited) await signUp(realm, { invitation: token });
  const named = (inRealm: string) => Promise.all(Array.from({ length: count }, () => createUser(inRealm, freshAddress('login'), PASSWORD)));
  return [
    { name: 'stock', realm: STOCK_REALM, usernames: await named(STOCK_REALM) },
    { name: 'without a trial', realm, usernames: await named(realm) },
    { name: 'with a trial', realm, usernames: invited.map(({ address }) => address) },
  ];
}

async function signInAll(kind: Kind): Promise<Look> {
  const [cpuBefore, started] = [await keycloakCpu(), performance.now()];
  for (const username of kind.usernames) await signIn(kind.realm, username);
  const milliseconds = (performance.now() - started) / kind.usernames.length;
  return { kind, milliseconds, cpu: ((await keycloakCpu()) - cpuBefore) / kind.usernames.length };
}

function judge(looks: readonly Look[]): readonly Row[] {
  const of = (name: Kind['name'], figure: 'milliseconds' | 'cpu'): number => median(looks.filter(({ kind }) => kind.name === name).map((look) => look[figure]));
  return (['without a trial', 'with a trial'] as const).flatMap((name) => [
    atMost(LIMIT, `login ${name}: time, against the stock flows`, 'ms', of(name, 'milliseconds'), of('stock', 'milliseconds')),
    atMost(LIMIT, `login ${name}: Keycloak's work, against the stock flows`, 'ms', of(name, 'cpu'), of('stock', 'cpu')),
  ]);
}
