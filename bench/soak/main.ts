import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '../../dev/ports.ts';
import { chance } from '../../test/support/chance.ts';
import { keycloakAdmin } from '../../test/support/keycloak-admin.ts';
import { createPerson } from '../../test/support/person.ts';
import { queryDatabase } from '../../test/support/stack.ts';
import { startTestStack } from '../../test/support/setup/test-stack.ts';
import { balancer } from './balancer.ts';
import { residentBytes, slope, type Sample } from './memory.ts';
import { planOutages } from './outages.ts';
import { newTally } from './tally.ts';
import { visitor, type Action, type Visitor } from './visitor.ts';

/** `npm run soak [-- --minutes 20 --rate 20 --people 40 --seed 1 --parts keycloak,postgres]`: ends with 1 where something happened that must not. */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '20' }, rate: { type: 'string', default: '20' }, people: { type: 'string', default: '40' }, seed: { type: 'string', default: '1' }, parts: { type: 'string', default: 'proxy,proxy 2,bridge,postgres,keycloak' } } });
const parts = values.parts.split(',');
const [minutes, rate, people, seed] = [values.minutes, values.rate, values.people, values.seed].map(Number) as [number, number, number, number];
/** The rest is calm, so that memory can be told from what a restart does to it. */
const SHARE_WITH_OUTAGES = 0.6;
/** So short that each session is refreshed many times. */
const ACCESS_TOKEN_SECONDS = 60;
const TRIAL_SECONDS = 86_400;
const SAMPLE_EVERY_MILLISECONDS = 10_000;
const MOST_GROWTH_MB_PER_MINUTE = 1;
/** Of a hundred things that somebody does who is signed in; the rest are requests. */
const MIX: readonly (readonly [Action, number])[] = [['logout', 3], ['back-channel logout', 1], ['burst', 3], ['old cookie', 3]];

const { stack, stop } = await startTestStack('soak', { durable: true });
try {
  process.exitCode = (await soak()) ? 0 : 1;
} finally {
  await stop();
}

async function soak(): Promise<boolean> {
  const realm = await keycloakAdmin().get('');
  await keycloakAdmin().put('', { ...realm, accessTokenLifespan: ACCESS_TOKEN_SECONDS });
  const { postgres, keycloak, bridge, proxy } = stack.parts;
  const [port, metricsPort] = [await freePort(), await freePort()];
  const all = { proxy, 'proxy 2': await stack.startProxyReplica({ port, metricsPort }), bridge, postgres, keycloak };
  const outages = planOutages(Object.fromEntries(Object.entries(all).filter(([name]) => parts.includes(name))));
  const tally = newTally();
  const { description } = stack;
  const replicas = [{ name: 'proxy', url: description.proxy }, { name: 'proxy 2', url: `http://127.0.0.1:${port}` }];
  const world = { proxyUrl: description.proxy, ask: balancer(description.proxy, replicas, outages, tally), outages, tally };
  const visitors: Visitor[] = [];
  for (let at = 0; at < people; at += 1) visitors.push(visitor(await createPerson(['vestibule-proxy'], TRIAL_SECONDS), world));

  const milliseconds = minutes * 60_000;
  const ending = new AbortController();
  const started = performance.now();
  const samples = new Map<string, Sample[]>([['proxy', []], ['proxy 2', []], ['bridge', []]]);
  const watching = watchMemory({ proxy: description.metrics.proxy, 'proxy 2': `http://127.0.0.1:${metricsPort}/metrics`, bridge: description.metrics.bridge }, samples, started, ending.signal);
  const outagesOver = outages.run(milliseconds * SHARE_WITH_OUTAGES, ending.signal).catch((error: unknown) => {
    if (!ending.signal.aborted) tally.fault(`a part did not come back: ${String(error)}`);
  });
  await act(visitors, milliseconds, tally.count);
  const refreshed = await sessionsRefreshed();
  const calmFrom = (outages.all.at(-1)?.until ?? started) - started;
  ending.abort();
  await Promise.all([watching, outagesOver]);

  console.log(`\n${minutes} min at ${rate}/s, ${people} people, two proxies, ${outages.all.length} outages, seed ${seed}`);
  for (const [what, count] of [...tally.counts].toSorted(([one], [other]) => one.localeCompare(other))) console.log(`  ${String(count).padStart(7)}  ${what}`);
  console.log(`  ${String(refreshed).padStart(7)}  sessions at the end that were refreshed`);
  if (refreshed === 0) tally.fault('no session was refreshed');
  for (const [name, all] of samples) {
    // The first minute after a start is warming up.
    const calm = all.filter(({ minute }) => minute * 60_000 > calmFrom + 60_000);
    if (calm.length < 12) {
      console.log(`  ${name}: ${all.at(-1)?.megabytes.toFixed(0)} MB at the end; too short to tell whether it grows`);
      continue;
    }
    const growth = slope(calm);
    console.log(`  ${name}: ${calm.at(-1)?.megabytes.toFixed(0)} MB at the end, ${growth >= 0 ? '+' : ''}${growth.toFixed(2)} MB/min over the last ${((calm.at(-1)!.minute) - calm[0]!.minute).toFixed(0)} min`);
    if (growth > MOST_GROWTH_MB_PER_MINUTE) tally.fault(`${name} grows by ${growth.toFixed(2)} MB a minute`);
  }
  if (outages.all.length < 2 * parts.length) tally.fault(`only ${outages.all.length} of ${2 * parts.length} outages happened: give it more minutes`);
  console.log(tally.faults.length === 0 ? 'no fault' : `${tally.faults.length} faults:\n${tally.faults.slice(0, 50).map((fault) => `  ${fault}`).join('\n')}`);
  return tally.faults.length === 0;
}

/** Their access token ends later than the first one did. */
async function sessionsRefreshed(): Promise<number> {
  const [row] = await queryDatabase(`select count(*)::int as count from proxy.session where refresh_due_at > created_at + make_interval(secs => ${ACCESS_TOKEN_SECONDS + 5})`);
  return Number(row?.['count']);
}

/** So many a second, whether or not what came before is done. */
async function act(visitors: readonly Visitor[], milliseconds: number, count: (what: string) => void): Promise<void> {
  const next = chance(seed);
  const started = performance.now();
  const under = new Set<Promise<void>>();
  for (let number = 0; (number * 1000) / rate < milliseconds; number += 1) {
    await delay(Math.max(0, started + (number * 1000) / rate - performance.now()));
    const free = visitors.filter(({ busy }) => !busy);
    const one = free[Math.floor(next() * free.length)];
    if (!one) {
      count('nobody was free');
      continue;
    }
    const doing = one.act(one.state === 'out' ? 'login' : one.state === 'unsure' ? 'request' : chosen(next() * 100));
    under.add(doing);
    void doing.finally(() => under.delete(doing));
  }
  await Promise.all(under);
}

function chosen(at: number): Action {
  let sum = 0;
  return MIX.find(([, share]) => (sum += share) > at)?.[0] ?? 'request';
}

async function watchMemory(urls: Readonly<Record<string, string>>, samples: ReadonlyMap<string, Sample[]>, started: number, signal: AbortSignal): Promise<void> {
  for (let at = 0; !signal.aborted; at += 1) {
    const minute = (performance.now() - started) / 60_000;
    const line: string[] = [];
    for (const [name, url] of Object.entries(urls)) {
      const bytes = await residentBytes(url);
      if (bytes !== undefined) samples.get(name)?.push({ minute, megabytes: bytes / 2 ** 20 });
      line.push(`${name} ${bytes === undefined ? 'away' : `${(bytes / 2 ** 20).toFixed(0)} MB`}`);
    }
    if (at % (60_000 / SAMPLE_EVERY_MILLISECONDS) === 0) console.log(`${minute.toFixed(0).padStart(3)} min  ${line.join(', ')}`);
    await delay(SAMPLE_EVERY_MILLISECONDS, undefined, { signal }).catch(() => {});
  }
}
