import type { Answers } from './load/load.ts';
import { shuffled } from './order.ts';
import { distribution, median } from './statistics.ts';

export interface Rounds {
  rounds: number;
  seconds: number;
  warmUp: number;
}

/** Everybody once a round, in an order of its own, after a warm-up that does not count. */
export async function alternate<Subject>(subjects: readonly Subject[], plan: Rounds, ask: (subject: Subject, seconds: number) => Promise<Answers>): Promise<ReadonlyMap<Subject, readonly Answers[]>> {
  const rounds = new Map<Subject, Answers[]>(subjects.map((subject) => [subject, []]));
  for (const subject of subjects) await ask(subject, plan.warmUp);
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const subject of shuffled(subjects)) rounds.get(subject)?.push(await ask(subject, plan.seconds));
  }
  return rounds;
}

/** The median of the rounds of whoever is meant. */
export function medianOf<Subject>(rounds: ReadonlyMap<Subject, readonly Answers[]>, meant: (subject: Subject) => boolean, figure: (answers: Answers) => number): number {
  return median([...rounds].filter(([subject]) => meant(subject)).flatMap(([, answers]) => answers.map(figure)));
}

export function p99({ milliseconds }: Answers): number {
  return distribution(milliseconds).p99;
}
