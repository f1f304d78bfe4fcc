import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { freshDatabase } from '../../test/support/database.ts';
import { loadGenerator, type Answers, type Call, type LoadGenerator } from '../load/load.ts';
import { shuffled } from '../order.ts';
import { atMost, printRows, type Row } from '../report.ts';
import { openStand, type Service, type Stand } from '../stand.ts';
import { distribution, median } from '../statistics.ts';
import { fillSessions, sessionId } from './sessions.ts';

const ROUNDS = 9;
const ROUND_SECONDS = 3;
const WARM_UP_SECONDS = 3;
const CONNECTIONS = 64;
const FEW_SESSIONS = 100;
const MANY_SESSIONS = 100_000;
/** Of /proc/<pid>/stat. */
const TICKS_PER_SECOND = 100;
const HOST = 'proxy.test';

interface Contender {
  name: 'pass-through' | 'proxy' | 'forward auth' | 'proxy with many sessions';
  service: Service;
  /** How many sessions its requests are of; the pass-through gets the same ones, and asks for none. */
  sessions: number;
  path: string;
  headers: Readonly<Record<string, string>>;
}

interface Look {
  contender: Contender;
  /** Of the contender's process, per request. */
  cpuMicroseconds: number;
  answers: Answers;
}

/** What a request of somebody who is signed in costs the proxy's process, against the same code without sessions. */
export async function proxy({ quick }: { quick: boolean }): Promise<object> {
  const plan = quick ? { rounds: 1, seconds: 0.5, warmUp: 0.5, many: 2_000 } : { rounds: ROUNDS, seconds: ROUND_SECONDS, warmUp: WARM_UP_SECONDS, many: MANY_SESSIONS };
  const stand = await openStand();
  const generator = loadGenerator();
  try {
    const contenders = await prepare(stand, plan.many);
    const [few, many] = (['proxy', 'proxy with many sessions'] as const).map((name) => contenders.find((one) => one.name === name)!) as [Contender, Contender];
    // As many requests to each: what a process takes by working is not the sessions'.
    for (const one of [few, many]) await requests(one, plan.many, generator);
    const bytesPerSession = Math.round((residentBytes(many.service.pid) - residentBytes(few.service.pid)) / (plan.many - FEW_SESSIONS));
    for (const one of contenders) await look(one, plan.warmUp, generator);
    const looks: Look[] = [];
    for (let round = 0; round < plan.rounds; round += 1) for (const one of shuffled(contenders)) looks.push(await look(one, plan.seconds, generator));
    const rows = judge(looks);
    printRows(rows);
    console.log(`${bytesPerSession} bytes of memory per session in memory, of ${plan.many} (aim: 2048)`);
    return { rounds: plan.rounds, secondsEach: plan.seconds, connections: CONNECTIONS, sessions: [FEW_SESSIONS, plan.many], bytesPerSession, rows };
  } finally {
    generator.close();
    await stand.close();
  }
}

async function prepare(stand: Stand, many: number): Promise<readonly Contender[]> {
  const app = await stand.start('bench/proxy/app.ts', {}, '/');
  const passThrough = await stand.start('bench/proxy/pass-through.ts', { APP_INTERNAL_URL: app.url }, '/');
  const [few, large] = [await startProxy(stand, app, FEW_SESSIONS), await startProxy(stand, app, many)];
  const gateway = { 'x-forwarded-uri': '/reports', 'x-forwarded-method': 'GET', 'x-forwarded-host': HOST };
  return [
    { name: 'pass-through', service: passThrough, sessions: FEW_SESSIONS, path: '/reports', headers: {} },
    { name: 'proxy', service: few, sessions: FEW_SESSIONS, path: '/reports', headers: {} },
    { name: 'forward auth', service: few, sessions: FEW_SESSIONS, path: '/api/auth', headers: gateway },
    { name: 'proxy with many sessions', service: large, sessions: many, path: '/reports', headers: {} },
  ];
}

async function startProxy(stand: Stand, app: Service, sessions: number): Promise<Service> {
  const database = await freshDatabase();
  await fillSessions(database.adminUrl, HOST, sessions);
  return stand.start(
    'proxy/main.ts',
    {
      PROXY_PUBLIC_URL: `https://${HOST}`,
      PROXY_DATABASE_URL: database.proxyUrl,
      PROXY_CLIENT_SECRET: 'not used here',
      KEYCLOAK_PUBLIC_URL: 'https://keycloak.test',
      SESSION_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      BRIDGE_INTERNAL_URL: 'http://127.0.0.1:9',
      APP_INTERNAL_URL: app.url,
      CONTACT_URL: 'https://example.com/contact',
      TRUSTED_PROXIES: '127.0.0.1',
      FORWARD_AUTH: 'true',
    },
    '/livez',
  );
}

/** Of its sessions in turn: each is in memory afterwards. */
async function requests(one: Contender, count: number, generator: LoadGenerator): Promise<void> {
  const calls = Array.from({ length: one.sessions }, (_, n) => callOf(one, n));
  await generator.run({ origin: one.service.url, connections: CONNECTIONS, count, calls, tokens: [], status: 200 });
}

async function look(contender: Contender, seconds: number, generator: LoadGenerator): Promise<Look> {
  const calls = Array.from({ length: Math.min(contender.sessions, 10_000) }, () => callOf(contender, Math.floor(Math.random() * contender.sessions)));
  const before = cpuMicroseconds(contender.service.pid);
  const answers = await generator.run({ origin: contender.service.url, connections: CONNECTIONS, seconds, calls, tokens: [], status: 200 });
  return { contender, answers, cpuMicroseconds: (cpuMicroseconds(contender.service.pid) - before) / answers.milliseconds.length };
}

function callOf({ path, headers }: Contender, n: number): Call {
  return { method: 'GET', path, headers: { host: HOST, ...headers, cookie: `__Host-vestibule=${sessionId(n)}` } };
}

function judge(looks: readonly Look[]): readonly Row[] {
  const of = (name: Contender['name'], figure: (one: Look) => number): number => median(looks.filter(({ contender }) => contender.name === name).map(figure));
  const cpu = (one: Look): number => one.cpuMicroseconds;
  const p99 = ({ answers }: Look): number => distribution(answers.milliseconds).p99;
  return [
    atMost(1.15, 'proxy: CPU per request, against the pass-through', 'µs', of('proxy', cpu), of('pass-through', cpu)),
    atMost(0.4, 'forward auth: CPU per request, against the pass-through', 'µs', of('forward auth', cpu), of('pass-through', cpu)),
    atMost(1.5, `proxy: p99 under ${CONNECTIONS} connections, against the pass-through`, 'ms', of('proxy', p99), of('pass-through', p99)),
    atMost(1.1, 'proxy with many sessions: CPU per request, against few', 'µs', of('proxy with many sessions', cpu), of('proxy', cpu)),
  ];
}

function cpuMicroseconds(pid: number): number {
  const [utime = 0, stime = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).map(Number);
  return ((utime + stime) / TICKS_PER_SECOND) * 1_000_000;
}

function residentBytes(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
