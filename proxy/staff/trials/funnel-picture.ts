import { STAGES, type FunnelDay, type Stage } from './trial-wire.ts';

const WIDTH = 640;
const HEIGHT = 200;
/** Between the days' bars. */
const GAP = 2;
const WIDEST_BAR = 28;

export interface FunnelPicture {
  width: number;
  height: number;
  /** Of all trials of one day, drawn over each other: each stage is a part of the one before. */
  bars: readonly { stage: Stage; x: number; y: number; width: number; height: number }[];
  /** The highest bar's trials. */
  highest: number;
  firstDay: string;
  lastDay: string;
}

export type Total = { stage: Stage; count: number; percent: number };

export function totals(days: readonly FunnelDay[]): readonly Total[] {
  const invited = sum(days, 'invited');
  return STAGES.map((stage) => {
    const count = sum(days, stage);
    return { stage, count, percent: invited === 0 ? 0 : (count / invited) * 100 };
  });
}

/** Every day from the first to the last has its place, also one on which nothing began. */
export function pictureOf(days: readonly FunnelDay[], from: string, to: string): FunnelPicture {
  const calendar = daysFrom(from, to);
  const byDay = Map.groupBy(days, ({ day }) => day);
  const highest = Math.max(1, ...[...byDay.values()].map((some) => sum(some, 'invited')));
  const step = WIDTH / calendar.length;
  const width = Math.min(WIDEST_BAR, Math.max(1, step - GAP));
  const bars = calendar.flatMap((day, index) =>
    STAGES.flatMap((stage) => {
      const height = round((sum(byDay.get(day) ?? [], stage) / highest) * HEIGHT);
      return height === 0 ? [] : [{ stage, x: round(index * step + (step - width) / 2), y: round(HEIGHT - height), width: round(width), height }];
    }),
  );
  return { width: WIDTH, height: HEIGHT, bars, highest, firstDay: from, lastDay: to };
}

function daysFrom(from: string, to: string): string[] {
  const days = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

function sum(days: readonly FunnelDay[], stage: Stage): number {
  return days.reduce((all, day) => all + day[stage], 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
