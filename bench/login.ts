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
const WARM_UP_ROUNDS = 5;
const LIMIT = 1.05;

interface Kind {
  name: 'stock' | 'without a trial' | 'with a trial';
  realm: string;
  username: string;
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
    const kinds = await people();
    const looks: Look[] = [];
    for (let round = -plan.warmUp; round < plan.rounds; round += 1) {
      for (const kind of shuffled(kinds)) {
        const look = await signInRepeatedly(kind, plan.logins);
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

/** One account each, so that all of them are as well known to Keycloak's caches. */
async function people(): Promise<readonly Kind[]> {
  const { realm } = stack();
  const [invited] = await invite('login', 1);
  await signUp(realm, { invitation: invited!.token });
  const name = freshAddress('login').split('@', 1)[0]!;
  return [
    { name: 'stock', realm: STOCK_REALM, username: await createUser(STOCK_REALM, name, PASSWORD) },
    { name: 'without a trial', realm, username: await createUser(realm, name, PASSWORD) },
    { name: 'with a trial', realm, username: invited!.address },
  ];
}

async function signInRepeatedly(kind: Kind, logins: number): Promise<Look> {
  const [cpuBefore, started] = [await keycloakCpu(), performance.now()];
  for (let done = 0; done < logins; done += 1) await signIn(kind.realm, kind.username);
  const milliseconds = (performance.now() - started) / logins;
  return { kind, milliseconds, cpu: ((await keycloakCpu()) - cpuBefore) / logins };
}

function judge(looks: readonly Look[]): readonly Row[] {
  const of = (name: Kind['name'], figure: 'milliseconds' | 'cpu'): number => median(looks.filter(({ kind }) => kind.name === name).map((look) => look[figure]));
  return (['without a trial', 'with a trial'] as const).flatMap((name) => [
    atMost(LIMIT, `login ${name}: time, against the stock flows`, 'ms', of(name, 'milliseconds'), of('stock', 'milliseconds')),
    atMost(LIMIT, `login ${name}: Keycloak's work, against the stock flows`, 'ms', of(name, 'cpu'), of('stock', 'cpu')),
  ]);
}
