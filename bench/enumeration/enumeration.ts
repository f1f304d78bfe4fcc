import { difference, distribution, type Difference, type Distribution } from '../statistics.ts';
import { doors, type Door } from './doors.ts';
import { makePeople } from './people.ts';
import { alternate, type Look } from './look.ts';

const ROUNDS = 300;
const WARM_UP_ROUNDS = 20;
/** The first two of every door ask about nobody: between them lies what chance alone makes. */
const NOBODYS_KINDS = 2;

export interface Comparison {
  kind: string;
  comparedWith: string;
  milliseconds: Difference;
}

export interface DoorResult {
  door: string;
  looks: Readonly<Record<string, Distribution>>;
  differences: readonly Comparison[];
  /** What a request for nobody takes, by whom the one before it asked for: work that goes on after an answer. */
  nextRequest: readonly Comparison[];
  /** Answers but for ids, codes and the address: one for all kinds, or they can be told apart without a clock. */
  answers: Readonly<Record<string, readonly string[]>>;
}

/** Whether time, or the answer itself, tells who has an account (SECURITY.md 13). */
export async function enumeration({ rounds = ROUNDS }: { rounds?: number }): Promise<object> {
  const people = await makePeople();
  const results: DoorResult[] = [];
  for (const door of doors(people)) {
    const looks = await alternate(door, { rounds, warmUp: WARM_UP_ROUNDS });
    const result = judge(door, looks);
    print(result);
    results.push(result);
  }
  return { unit: 'milliseconds', rounds, doors: results };
}

function judge(door: Door, looks: readonly Look[]): DoorResult {
  const kinds = Object.keys(door.kinds);
  const timesOf = (kind: string) => looks.filter((look) => look.kind === kind).map((look) => look.milliseconds);
  const nobodys = new Set(kinds.slice(0, NOBODYS_KINDS));
  const timesAfter = (kind: string) => looks.filter((look) => look.after === kind && nobodys.has(look.kind)).map((look) => look.milliseconds);
  return {
    door: door.name,
    looks: Object.fromEntries(kinds.map((kind) => [kind, distribution(timesOf(kind))])),
    differences: compare(kinds, timesOf),
    nextRequest: compare(kinds, timesAfter),
    answers: Object.fromEntries(kinds.map((kind) => [kind, [...new Set(looks.filter((look) => look.kind === kind).map((look) => look.answer))]])),
  };
}

function compare([first = '', ...others]: readonly string[], timesOf: (kind: string) => readonly number[]): Comparison[] {
  return others.map((kind) => ({ kind, comparedWith: first, milliseconds: difference(timesOf(first), timesOf(kind)) }));
}

function print({ door, looks, differences, nextRequest, answers }: DoorResult): void {
  console.log(`\n${door} (ms)`);
  console.table(Object.fromEntries(Object.entries(looks).map(([kind, one]) => [kind, rounded(one)])));
  console.table(Object.fromEntries([...differences.map(row('')), ...nextRequest.map(row('next request after '))]));
  const alike = new Set(Object.values(answers).flat()).size === 1;
  console.log(alike ? 'Status, headers and body are the same.' : `Answers differ: ${JSON.stringify(answers)}`);
}

function row(prefix: string) {
  return ({ kind, comparedWith, milliseconds }: Comparison) =>
    [`${prefix}${kind} − ${comparedWith}`, { ...rounded({ ...milliseconds, interval: undefined }), interval: milliseconds.interval.map(inHundredths).join(' … ') }] as const;
}

function rounded(numbers: object): Record<string, unknown> {
  const defined = Object.entries(numbers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined.map(([name, value]) => [name, name === 'pValue' ? Number((value as number).toPrecision(2)) : inHundredths(value as number)]));
}

function inHundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
