import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from './report.ts';
import { RESULTS } from './results.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'cost.md');
const BENCHES = ['callbacks', 'login', 'signup', 'register', 'start'];
const BETWEEN_MARKS = /(?<=<!-- results -->\n)[\s\S]*(?=<!-- end of results -->)/;

interface Result {
  bench: string;
  machine: { cpu: string; cores: number; date: string; loadAtStart: readonly number[] };
  rows: readonly Row[];
}

/** Puts what stands in results/ into the page. */
export function writePage(): void {
  writeFileSync(PAGE, withResults(readFileSync(PAGE, 'utf8')));
}

export function withResults(page: string): string {
  return page.replace(BETWEEN_MARKS, () => BENCHES.map(section).join(''));
}

function section(bench: string): string {
  const file = join(RESULTS, `${bench}.json`);
  if (!existsSync(file)) return '';
  const { machine, rows } = JSON.parse(readFileSync(file, 'utf8')) as Result;
  const compared = rows.some(({ peer }) => peer !== undefined);
  const head = compared ? ['', 'ours', 'compared with', 'ratio', 'target', ''] : ['', 'measured'];
  const lines = rows.map((row) => (compared ? [row.measured, amount(row, row.value), amount(row, row.peer), row.ratio?.toFixed(2), row.target, verdict(row)] : [row.measured, amount(row, row.value)]));
  const table = [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.map((cell) => cell ?? '').join(' | ')} |`);
  return `\n### ${bench}\n\n${table.join('\n')}\n\n${machine.date.slice(0, 10)}, ${machine.cores} cores of ${machine.cpu}, load ${machine.loadAtStart[0]} at the start.\n`;
}

function amount({ unit }: Row, value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ${unit}`;
}

function verdict({ reached }: Row): string | undefined {
  if (reached === undefined) return undefined;
  return reached ? 'reached' : '**missed**';
}
