import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Comparison, DoorResult } from './enumeration/enumeration.ts';
import type { Row } from './report.ts';
import { RESULTS } from './results.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'cost.md');
const BENCHES = ['callbacks', 'billing', 'proxy', 'login', 'signup', 'register', 'expiry', 'start'];
const BETWEEN_MARKS = /(?<=<!-- results -->\n)[\s\S]*(?=<!-- end of results -->)/;

interface Machine {
  cpu: string;
  cores: number;
  date: string;
  loadAtStart: readonly number[];
}

interface Result {
  machine: Machine;
  rows: readonly Row[];
}

interface EnumerationResult {
  machine: Machine;
  rounds: number;
  doors: readonly Pick<DoorResult, 'door' | 'differences' | 'nextRequest'>[];
}

/** Puts what stands in results/ into the page. */
export function writePage(): void {
  writeFileSync(PAGE, withResults(readFileSync(PAGE, 'utf8')));
}

function withResults(page: string): string {
  return page.replace(BETWEEN_MARKS, () => BENCHES.map(section).join('') + enumerationSection(read('enumeration')));
}

function read<Kept = Result>(bench: string): Kept | undefined {
  const file = join(RESULTS, `${bench}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Kept) : undefined;
}

function section(bench: string): string {
  const result = read(bench);
  if (result === undefined) return '';
  const { machine, rows } = result;
  const compared = rows.some(({ peer }) => peer !== undefined);
  const head = compared ? ['', 'ours', 'compared with', 'ratio', 'target', ''] : ['', 'measured'];
  const lines = rows.map((row) => (compared ? [row.measured, amount(row, row.value), amount(row, row.peer), row.ratio?.toFixed(2), row.target, verdict(row)] : [row.measured, amount(row, row.value)]));
  return `\n### ${bench}\n\n${table([head, ...lines])}\n\n${where(machine)}\n`;
}

/** Results of before the request after one was judged are left out: they compared something else. */
export function enumerationSection(result: EnumerationResult | undefined): string {
  const { machine, rounds, doors } = result ?? {};
  if (!machine || !doors?.every(({ nextRequest }) => nextRequest !== undefined)) return '';
  const lines = doors.flatMap(({ door, differences, nextRequest }) => [
    ...differences.map((one) => [door, `${one.kind} − ${one.comparedWith}`, ...figures(one)]),
    ...nextRequest.map((one) => [door, `the request after ${one.kind} − after ${one.comparedWith}`, ...figures(one)]),
  ]);
  const head = ['door', 'compared', 'difference of the medians', '95 %', 'could hide', 'one look tells'];
  return `\n### enumeration\n\n${table([head, ...lines])}\n\n*Could hide*: how far apart the medians may lie without this run telling. *One look tells*: how often the best guess from one answer's time is right; 50 % is a coin. ${rounds} rounds. ${where(machine)}\n`;
}

function figures({ milliseconds: { medianDifference, interval, couldHide, oneLook } }: Comparison): string[] {
  return [`${inMs(medianDifference)} ms`, interval.map(inMs).join(' … '), `${inMs(couldHide)} ms`, `${Math.round(oneLook * 100)} %`];
}

function inMs(value: number): string {
  return value.toFixed(2);
}

function table([head = [], ...lines]: readonly (readonly (string | undefined)[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.map((cell) => cell ?? '').join(' | ')} |`).join('\n');
}

function where({ date, cores, cpu, loadAtStart }: Machine): string {
  return `${date.slice(0, 10)}, ${cores} cores of ${cpu}, load ${loadAtStart[0]} at the start.`;
}

function amount({ unit }: Row, value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ${unit}`;
}

function verdict({ reached }: Row): string | undefined {
  if (reached === undefined) return undefined;
  return reached ? 'reached' : '**missed**';
}
