import type { Killable } from './stand.ts';
import { chance } from '../../support/chance.ts';

export interface PlannedKill {
  /** When the sign-up of that number starts, and so much later. */
  signUp: number;
  afterMilliseconds: number;
  part: Killable;
}

const SIGN_UPS_PER_KILL = 4;
const LONGEST_WAIT_MS = 1500;
/** Keycloak takes a quarter of a minute to come back, the others a second or two. */
const SHARES: readonly (readonly [Killable, number])[] = [
  ['bridge', 0.4],
  ['proxy', 0.2],
  ['postgres', 0.15],
  ['keycloak', 0.15],
  ['mail', 0.1],
];

/** The same for the same seed. The first five take each part once. */
export function planKills(signUps: number, seed: number): readonly PlannedKill[] {
  const next = chance(seed);
  return Array.from({ length: Math.floor(signUps / SIGN_UPS_PER_KILL) }, (_, index) => ({
    signUp: index * SIGN_UPS_PER_KILL + Math.floor(next() * SIGN_UPS_PER_KILL),
    afterMilliseconds: Math.floor(next() * LONGEST_WAIT_MS),
    part: SHARES[index]?.[0] ?? partAt(next()),
  }));
}

function partAt(at: number): Killable {
  let sum = 0;
  return SHARES.find(([, share]) => (sum += share) > at)?.[0] ?? 'bridge';
}
