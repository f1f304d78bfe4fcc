import { freshDatabase } from '../../test/support/database.ts';
import { loadGenerator, type Answers, type LoadGenerator } from '../load/load.ts';
import { atLeast, atMost, printRows, type Row } from '../report.ts';
import { ISSUER, openStand, type Service, type Stand } from '../stand.ts';
import { alternate, medianOf, p99 } from '../rounds.ts';
import { fillTrials, QUESTIONS } from './fill.ts';

const FEW_TRIALS = 1_000;
const MANY_TRIALS = 1_000_000;
const MANY_TRIALS_QUICKLY = 20_000;
const ROUNDS = 9;
const ROUND_SECONDS = 2;
const WARM_UP_SECONDS = 4;
/** As many as Keycloak has threads in docker-compose.yml and in the stack of `npm start`. */
const CONNECTIONS = 16;
/** Prepared calls, and tokens: more than Keycloak would send, whose steps share one within a second. */
const CALLS = 20_000;
const TOKENS = 100;

type Question = keyof typeof QUESTIONS;

interface Subject {
  name: 'peer' | 'bridge' | 'bridge with many';
  question: Question;
  service: Service;
  trials: number;
}

/** What Keycloak's questions to the bridge cost, against the same select behind a bare listener, and with many trials. */
export async function callbacks({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { many: MANY_TRIALS_QUICKLY, rounds: 1, seconds: 0.5, warmUp: 0.5 } : { many: MANY_TRIALS, rounds: ROUNDS, seconds: ROUND_SECONDS, warmUp: WARM_UP_SECONDS };
  const stand = await openStand();
  const generator = loadGenerator();
  try {
    const subjects = await prepare(stand, plan.many);
    const rounds = await alternate(subjects, plan, (subject, seconds) => ask(subject, seconds, stand, generator));
    const rows = judge(rounds);
    printRows(rows);
    return { rounds: plan.rounds, secondsEach: plan.seconds, connections: CONNECTIONS, trials: [FEW_TRIALS, plan.many], rows };
  } finally {
    generator.close();
    await stand.close();
  }
}

async function prepare(stand: Stand, many: number): Promise<readonly Subject[]> {
  const [small, large] = [await freshDatabase(), await freshDatabase()];
  await fillTrials(small.adminUrl, FEW_TRIALS);
  await fillTrials(large.adminUrl, many);
  const peer = await stand.start('bench/callbacks/peer.ts', { DATABASE_URL: small.bridgeUrl }, QUESTIONS.infos(1).path);
  const bridge = await stand.startBridge(small.bridgeUrl);
  const bridgeWithMany = await stand.startBridge(large.bridgeUrl);
  return (['verify', 'infos'] as const).flatMap((question) => [
    { name: 'peer' as const, question, service: peer, trials: FEW_TRIALS },
    { name: 'bridge' as const, question, service: bridge, trials: FEW_TRIALS },
    { name: 'bridge with many' as const, question, service: bridgeWithMany, trials: many },
  ]);
}

async function ask({ service, question, trials }: Subject, seconds: number, stand: Stand, generator: LoadGenerator): Promise<Answers> {
  const tokens = await Promise.all(Array.from({ length: TOKENS }, () => stand.realm.stepToken({ iss: ISSUER })));
  const calls = Array.from({ length: CALLS }, () => QUESTIONS[question](trials));
  return generator.run({ origin: service.url, connections: CONNECTIONS, seconds, calls, tokens, status: 200 });
}

function judge(rounds: ReadonlyMap<Subject, readonly Answers[]>): readonly Row[] {
  const of = (name: Subject['name'], question: Question, figure: (answers: Answers) => number): number =>
    medianOf(rounds, (subject) => subject.name === name && subject.question === question, figure);
  return (['verify', 'infos'] as const).flatMap((question) => [
    atLeast(0.5, `${question}: answers per second, against the bare select`, '1/s', of('bridge', question, rate), of('peer', question, rate)),
    atMost(2, `${question}: p99, against the bare select`, 'ms', of('bridge', question, p99), of('peer', question, p99)),
    atMost(1.3, `${question}: p99 with many trials, against ${FEW_TRIALS}`, 'ms', of('bridge with many', question, p99), of('bridge', question, p99)),
  ]);
}

function rate({ perSecond }: Answers): number {
  return perSecond;
}
