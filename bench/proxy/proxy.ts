import { readFileSync } from 'node:fs';
import { loadGenerator, type Answers, type LoadGenerator } from '../load/load.ts';
import { shuffled } from '../order.ts';
import { atMost, printRows, type Row } from '../report.ts';
import { openStand } from '../stand.ts';
import { distribution, median } from '../statistics.ts';
import { drawCalls, FEW_SESSIONS, prepare, type Contender, type Contenders, type Name } from './contenders.ts';
import { usedBytes } from './inspector.ts';

// Processes anew, some times: how well V8 happens to compile one makes a tenth of what its requests cost.
const CASTS = 3;
// Short ones, one after the other: what else happens on the machine lasts for seconds, and befalls both sides of a ratio.
const ROUNDS = 9;
const ROUND_SECONDS = 0.8;
const WARM_UP_SECONDS = 2;
const CONNECTIONS = 64;
const MANY_SESSIONS = 100_000;
/** Of /proc/<pid>/stat. */
const TICKS_PER_SECOND = 100;

interface Look {
  name: Name;
  /** Of the contender's processes, per request. */
  cpuMicroseconds: number;
  answers: Answers;
}

/** At everybody, in an order of its own. */
type Round = readonly Look[];
type Figure = (one: Look) => number;

/** What a request of somebody who is signed in costs the proxy's process, against the same code without sessions and against others. */
export async function proxy({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { casts: 1, rounds: 1, seconds: 0.5, warmUp: 0.5, many: 2_000 } : { casts: CASTS, rounds: ROUNDS, seconds: ROUND_SECONDS, warmUp: WARM_UP_SECONDS, many: MANY_SESSIONS };
  const generator = loadGenerator();
  try {
    const runs: Run[] = [];
    for (let cast = 0; cast < plan.casts; cast += 1) runs.push(await runOnce(plan, generator));
    const rounds = runs.flatMap((run) => run.rounds);
    const missing = runs[0]?.missing ?? [];
    const rows = [...judge(rounds), atMost(1, `memory in use per session, of ${plan.many}, against the aim`, 'bytes', median(runs.map(({ sessionBytes }) => sessionBytes)), 2_048)];
    printRows(rows);
    const each = (runs[0]?.names ?? []).map((name) => ({ contender: name, ...figuresOf(rounds.flat().filter((look) => look.name === name)) }));
    console.table(each);
    for (const why of missing) console.log(`Not compared: ${why}`);
    return { casts: plan.casts, rounds: plan.rounds, secondsEach: plan.seconds, connections: CONNECTIONS, sessions: [FEW_SESSIONS, plan.many], missing, each, rows };
  } finally {
    generator.close();
  }
}

interface Run {
  rounds: readonly Round[];
  sessionBytes: number;
  names: readonly Name[];
  missing: readonly string[];
}

async function runOnce(plan: { rounds: number; seconds: number; warmUp: number; many: number }, generator: LoadGenerator): Promise<Run> {
  const stand = await openStand();
  try {
    const contenders = await prepare(stand, plan.many);
    // As many requests to each: what a process takes by working is not the sessions'.
    for (const one of contenders.ours) await everySession(one, plan.many, generator);
    for (const one of contenders.all) await look(one, plan.warmUp, generator);
    const rounds: Round[] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      const looks: Look[] = [];
      for (const one of shuffled(contenders.all)) looks.push(await look(one, plan.seconds, generator));
      rounds.push(looks);
    }
    // Last: what looks into a process stays in it, and its heap is smaller afterwards.
    return { rounds, sessionBytes: await measureSessions(contenders, plan.many), names: contenders.all.map(({ name }) => name), missing: contenders.missing };
  } finally {
    await stand.close();
  }
}

/** In turn, so that each is in memory afterwards. */
async function everySession(one: Contender, count: number, generator: LoadGenerator): Promise<void> {
  const calls = Array.from({ length: one.sessions }, (_, n) => one.call(n));
  await generator.run({ origin: one.service.url, connections: CONNECTIONS, count, calls, tokens: [], status: 200 });
}

/** Bytes for each. */
async function measureSessions({ few, many }: Contenders, count: number): Promise<number> {
  const [with_, without] = [await usedBytes({ pid: many.contender.service.pid, port: many.port }), await usedBytes({ pid: few.contender.service.pid, port: few.port })];
  return (with_ - without) / (count - FEW_SESSIONS);
}

async function look(contender: Contender, seconds: number, generator: LoadGenerator): Promise<Look> {
  const before = cpuMicroseconds(contender.pids);
  const answers = await generator.run({ origin: contender.service.url, connections: CONNECTIONS, seconds, calls: drawCalls(contender), tokens: [], status: contender.status ?? 200 });
  return { name: contender.name, answers, cpuMicroseconds: (cpuMicroseconds(contender.pids) - before) / answers.milliseconds.length };
}

/** Medians of the rounds. */
function figuresOf(looks: readonly Look[]): { cpuMicroseconds: number; p50Milliseconds: number; p99Milliseconds: number } {
  const of = (figure: Figure): number => Number(median(looks.map(figure)).toFixed(1));
  return { cpuMicroseconds: of(cpu), p50Milliseconds: of(p50), p99Milliseconds: of(p99) };
}

const cpu: Figure = ({ cpuMicroseconds }) => cpuMicroseconds;
const p50: Figure = ({ answers }) => distribution(answers.milliseconds).median;
const p99: Figure = ({ answers }) => distribution(answers.milliseconds).p99;

function judge(rounds: readonly Round[]): readonly Row[] {
  const of = (name: Name, figure: Figure): readonly number[] => rounds.map((looks) => figure(looks.find((one) => one.name === name) as Look));
  const measured = (name: Name): boolean => rounds[0]?.some((one) => one.name === name) ?? false;
  // Of each round by itself: what slows the machine down for seconds slows both.
  const compared = (name: Name, peer: Name, figure: Figure): [value: number, peer: number, ratio: number] => {
    const [values, peers] = [of(name, figure), of(peer, figure)];
    return [median(values), median(peers), median(values.map((value, round) => value / (peers[round] as number)))];
  };
  return [
    atMost(1.15, 'proxy: CPU per request, against the pass-through', 'µs', ...compared('proxy', 'pass-through', cpu)),
    atMost(0.083, 'proxy: CPU per request, against express-openid-connect', 'µs', ...compared('proxy', 'express-openid-connect', cpu)),
    atMost(0.4, 'forward auth: CPU per request, against the pass-through', 'µs', ...compared('forward auth', 'pass-through', cpu)),
    atMost(1, 'forward auth: CPU per request, against express-openid-connect', 'µs', ...compared('forward auth', 'express-openid-connect, forward auth', cpu)),
    ...(measured('oauth2-proxy')
      ? [
          atMost(1, 'proxy: CPU per request, against oauth2-proxy', 'µs', ...compared('proxy', 'oauth2-proxy', cpu)),
          atMost(1, 'forward auth: CPU per request, against oauth2-proxy', 'µs', ...compared('forward auth', 'oauth2-proxy, forward auth', cpu)),
        ]
      : []),
    ...(measured('nginx in front of ours') ? [against('nginx and ours, asked by it: CPU per request, against ours alone', 'µs', ...compared('nginx in front of ours', 'proxy', cpu))] : []),
    against(`proxy: p50 under ${CONNECTIONS} connections, against the pass-through`, 'ms', ...compared('proxy', 'pass-through', p50)),
    atMost(1.5, `proxy: p99 under ${CONNECTIONS} connections, against the pass-through`, 'ms', ...compared('proxy', 'pass-through', p99)),
    against(`proxy: p99 under ${CONNECTIONS} connections, against express-openid-connect`, 'ms', ...compared('proxy', 'express-openid-connect', p99)),
    atMost(1.1, 'proxy with many sessions: CPU per request, against few', 'µs', ...compared('proxy with many sessions', 'proxy', cpu)),
    atMost(1.1, 'forward auth with many sessions: CPU per request, against few', 'µs', ...compared('forward auth with many sessions', 'forward auth', cpu)),
    atMost(1.65, 'proxy with many sessions: p99, against the pass-through', 'ms', ...compared('proxy with many sessions', 'pass-through', p99)),
  ];
}

/** Without a target. */
function against(measured: string, unit: string, value: number, peer: number, ratio: number): Row {
  return { measured, unit, value, peer, ratio };
}

function cpuMicroseconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const [utime = 0, stime = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).map(Number);
    return sum + ((utime + stime) / TICKS_PER_SECOND) * 1_000_000;
  }, 0);
}
