import { readFileSync } from 'node:fs';
import { loadGenerator, type Answers, type LoadGenerator } from '../load/load.ts';
import { shuffled } from '../order.ts';
import { atMost, printRows, type Row } from '../report.ts';
import { openStand } from '../stand.ts';
import { distribution, median } from '../statistics.ts';
import { drawCalls, FEW_SESSIONS, prepare, type Contender, type Contenders, type Name } from './contenders.ts';
import { usedBytes } from './inspector.ts';

const ROUNDS = 7;
const ROUND_SECONDS = 2;
const WARM_UP_SECONDS = 2;
const CONNECTIONS = 64;
const MANY_SESSIONS = 100_000;
/** Of /proc/<pid>/stat. */
const TICKS_PER_SECOND = 100;

interface Look {
  contender: Contender;
  /** Of the contender's processes, per request. */
  cpuMicroseconds: number;
  answers: Answers;
}

/** What a request of somebody who is signed in costs the proxy's process, against the same code without sessions and against others. */
export async function proxy({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { rounds: 1, seconds: 0.5, warmUp: 0.5, many: 2_000 } : { rounds: ROUNDS, seconds: ROUND_SECONDS, warmUp: WARM_UP_SECONDS, many: MANY_SESSIONS };
  const stand = await openStand();
  const generator = loadGenerator();
  try {
    const contenders = await prepare(stand, plan.many);
    // As many requests to each: what a process takes by working is not the sessions'.
    for (const { contender } of [contenders.few, contenders.many]) await everySession(contender, plan.many, generator);
    for (const one of contenders.all) await look(one, plan.warmUp, generator);
    const looks: Look[] = [];
    for (let round = 0; round < plan.rounds; round += 1) for (const one of shuffled(contenders.all)) looks.push(await look(one, plan.seconds, generator));
    // Last: what looks into a process stays in it, and its heap is smaller afterwards.
    const rows = [...judge(looks), await measureSessions(contenders, plan.many)];
    printRows(rows);
    const each = contenders.all.map(({ name }) => ({ contender: name, ...figuresOf(looks.filter(({ contender }) => contender.name === name)) }));
    console.table(each);
    for (const why of contenders.missing) console.log(`Not compared: ${why}`);
    return { rounds: plan.rounds, secondsEach: plan.seconds, connections: CONNECTIONS, sessions: [FEW_SESSIONS, plan.many], missing: contenders.missing, each, rows };
  } finally {
    generator.close();
    await stand.close();
  }
}

/** In turn, so that each is in memory afterwards. */
async function everySession(one: Contender, count: number, generator: LoadGenerator): Promise<void> {
  const calls = Array.from({ length: one.sessions }, (_, n) => one.call(n));
  await generator.run({ origin: one.service.url, connections: CONNECTIONS, count, calls, tokens: [], status: 200 });
}

async function measureSessions({ few, many }: Contenders, count: number): Promise<Row> {
  const [with_, without] = [await usedBytes({ pid: many.contender.service.pid, port: many.port }), await usedBytes({ pid: few.contender.service.pid, port: few.port })];
  return atMost(1, `memory in use per session, of ${count}, against the aim`, 'bytes', (with_ - without) / (count - FEW_SESSIONS), 2_048);
}

async function look(contender: Contender, seconds: number, generator: LoadGenerator): Promise<Look> {
  const before = cpuMicroseconds(contender.pids);
  const answers = await generator.run({ origin: contender.service.url, connections: CONNECTIONS, seconds, calls: drawCalls(contender), tokens: [], status: contender.status ?? 200 });
  return { contender, answers, cpuMicroseconds: (cpuMicroseconds(contender.pids) - before) / answers.milliseconds.length };
}

/** Medians of the rounds. */
function figuresOf(looks: readonly Look[]): { cpuMicroseconds: number; p50Milliseconds: number; p99Milliseconds: number } {
  const of = (figure: (one: Look) => number): number => Number(median(looks.map(figure)).toFixed(1));
  return { cpuMicroseconds: of((one) => one.cpuMicroseconds), p50Milliseconds: of(({ answers }) => distribution(answers.milliseconds).median), p99Milliseconds: of(({ answers }) => distribution(answers.milliseconds).p99) };
}

function judge(looks: readonly Look[]): readonly Row[] {
  const of = (name: Name, figure: (one: Look) => number): number => median(looks.filter(({ contender }) => contender.name === name).map(figure));
  const cpu = (one: Look): number => one.cpuMicroseconds;
  const p99 = ({ answers }: Look): number => distribution(answers.milliseconds).p99;
  const measured = (name: Name): boolean => looks.some(({ contender }) => contender.name === name);
  const p50 = ({ answers }: Look): number => distribution(answers.milliseconds).median;
  return [
    atMost(1.15, 'proxy: CPU per request, against the pass-through', 'µs', of('proxy', cpu), of('pass-through', cpu)),
    atMost(0.083, 'proxy: CPU per request, against express-openid-connect', 'µs', of('proxy', cpu), of('express-openid-connect', cpu)),
    atMost(0.4, 'forward auth: CPU per request, against the pass-through', 'µs', of('forward auth', cpu), of('pass-through', cpu)),
    atMost(1, 'forward auth: CPU per request, against express-openid-connect', 'µs', of('forward auth', cpu), of('express-openid-connect, forward auth', cpu)),
    ...(measured('oauth2-proxy')
      ? [
          atMost(1, 'proxy: CPU per request, against oauth2-proxy', 'µs', of('proxy', cpu), of('oauth2-proxy', cpu)),
          atMost(1, 'forward auth: CPU per request, against oauth2-proxy', 'µs', of('forward auth', cpu), of('oauth2-proxy, forward auth', cpu)),
        ]
      : []),
    ...(measured('nginx in front of ours') ? [against('nginx and ours, asked by it: CPU per request, against ours alone', 'µs', of('nginx in front of ours', cpu), of('proxy', cpu))] : []),
    against(`proxy: p50 under ${CONNECTIONS} connections, against the pass-through`, 'ms', of('proxy', p50), of('pass-through', p50)),
    atMost(1.5, `proxy: p99 under ${CONNECTIONS} connections, against the pass-through`, 'ms', of('proxy', p99), of('pass-through', p99)),
    against(`proxy: p99 under ${CONNECTIONS} connections, against express-openid-connect`, 'ms', of('proxy', p99), of('express-openid-connect', p99)),
    atMost(1.1, 'proxy with many sessions: CPU per request, against few', 'µs', of('proxy with many sessions', cpu), of('proxy', cpu)),
    atMost(1.1, 'forward auth with many sessions: CPU per request, against few', 'µs', of('forward auth with many sessions', cpu), of('forward auth', cpu)),
    atMost(1.65, 'proxy with many sessions: p99, against the pass-through', 'ms', of('proxy with many sessions', p99), of('pass-through', p99)),
  ];
}

/** Without a target. */
function against(measured: string, unit: string, value: number, peer: number): Row {
  return { measured, unit, value, peer, ratio: value / peer };
}

function cpuMicroseconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const [utime = 0, stime = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).map(Number);
    return sum + ((utime + stime) / TICKS_PER_SECOND) * 1_000_000;
  }, 0);
}
