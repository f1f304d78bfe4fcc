import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parse } from 'yaml';
import { bridgeGauges } from '../bridge/metrics/gauges.ts';
import { createMeter as bridgeMeter } from '../bridge/metrics/meter.ts';
import { proxyGauges } from '../proxy/metrics/gauges.ts';
import { createMeter as proxyMeter } from '../proxy/metrics/meter.ts';

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary?: string; action?: string };
}
interface Panel {
  type: string;
  title: string;
  targets?: { expr: string; legendFormat: string }[];
}

/** Of Prometheus, and of the jar on Keycloak's /metrics, which test/keycloak/bridge-breaker reads. */
const OTHERS_METRICS = new Set(['up', 'vestibule_bridge_breakers_open']);
/** What Prometheus adds to every series, and a histogram's own. */
const LABELS_OF_ALL = ['job', 'instance', 'le'];
const NO_METRIC = new Set(['by', 'without', 'and', 'or', 'unless', 'on', 'ignoring', 'offset', 'bool', 'group_left', 'group_right']);

const labelsByName = exported();
const rules: Rule[] = parse(readFileSync('ops/alerts.yaml', 'utf8')).groups.flatMap((group: { rules: Rule[] }) => group.rules);
const dashboard = JSON.parse(readFileSync('ops/dashboard.json', 'utf8')) as { schemaVersion: number; uid: string; panels: Panel[] };
const targets = dashboard.panels.flatMap(({ title, targets: of = [] }) => of.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })));

/** Every name that bridge and proxy can answer a scrape with, and the labels of its series. */
function exported(): ReadonlyMap<string, readonly string[]> {
  const registry = new Registry();
  bridgeMeter(registry);
  bridgeGauges(registry, {} as never);
  proxyMeter(registry);
  proxyGauges(registry, {} as never);
  collectDefaultMetrics({ register: registry });
  const metrics = registry.getMetricsAsArray() as unknown as readonly { name: string; buckets?: unknown; labelNames: readonly string[] }[];
  return new Map(
    metrics.flatMap(({ name, buckets, labelNames }) =>
      buckets === undefined ? [[name, labelNames] as const] : ['_bucket', '_sum', '_count'].map((suffix) => [`${name}${suffix}`, labelNames] as const),
    ),
  );
}

/** `metric.label` → its values, of metrics that tell all of them from the beginning. */
async function valuesByLabel(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const registry = new Registry();
  bridgeMeter(registry);
  proxyMeter(registry);
  const series = (await registry.getMetricsAsJSON()).flatMap(({ name, values }) => values.flatMap(({ labels }) => Object.entries(labels).map(([label, value]) => [`${name}.${label}`, String(value)] as const)));
  return new Map([...Map.groupBy(series, ([key]) => key)].map(([key, of]) => [key, new Set(of.map(([, value]) => value))]));
}

function metricsIn(expr: string): { name: string; labels: string[] }[] {
  const bare = expr
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\boffset\s+\w+/g, ' ');
  return [...bare.matchAll(/(?<![\w"$.~/-])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|[\w:])/g)]
    .filter(([, name = '']) => !NO_METRIC.has(name))
    .map(([, name = '', matchers = '']) => ({ name, labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label) }));
}

function labelsGroupedBy(expr: string): string[] {
  return [...expr.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(',').map((label) => label.trim()));
}

/** What an expression asks for that nobody exports. */
function faults(expr: string): string[] {
  const asked = metricsIn(expr);
  if (asked.length === 0) return [`no metric in ${expr}`];
  const known = new Set([...LABELS_OF_ALL, ...asked.flatMap(({ name }) => labelsByName.get(name) ?? [])]);
  return [
    ...asked.filter(({ name }) => !labelsByName.has(name) && !OTHERS_METRICS.has(name)).map(({ name }) => `no metric ${name}`),
    ...asked.flatMap(({ name, labels }) => labels.filter((label) => ![...LABELS_OF_ALL, ...(labelsByName.get(name) ?? [])].includes(label)).map((label) => `${name} has no label ${label}`)),
    ...labelsGroupedBy(expr).filter((label) => !known.has(label)).map((label) => `nothing has the label ${label}`),
  ];
}

describe('an expression is read', () => {
  test.each([
    ['sum by (kind) (rate(vestibule_bridge_mails_total{outcome="sent"}[5m])) > 0', []],
    ['sum(rate(vestibule_bridge_mail_total[5m]))', ['no metric vestibule_bridge_mail_total']],
    ['vestibule_bridge_keycloak_call_duration_seconds > 1', ['no metric vestibule_bridge_keycloak_call_duration_seconds']],
    ['vestibule_bridge_mails_total{reason="x"}', ['vestibule_bridge_mails_total has no label reason']],
    ['sum by (route) (vestibule_bridge_mails_total)', ['nothing has the label route']],
  ])('%s', (expr, expected) => {
    expect(faults(expr)).toEqual(expected);
  });
});

describe('ops/alerts.yaml', () => {
  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s asks for what is exported, and says what happened and what to do', (_, { expr, labels, annotations }) => {
    expect(faults(expr)).toEqual([]);
    expect(['warning', 'critical']).toContain(labels.severity);
    expect(annotations.summary?.length).toBeGreaterThan(20);
    expect(annotations.action?.length).toBeGreaterThan(40);
  });

  test('every alert has a name of its own, and the admin page has it', () => {
    const page = readFileSync('docs/operating.md', 'utf8');
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect([...new Set([...page.matchAll(/`(Vestibule\w+)`/g)].map(([, name]) => name))].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });
});

describe('ops/dashboard.json', () => {
  test.each(targets.map(({ title, expr, legendFormat }) => [title, expr, legendFormat]))('%s: %s', (_, expr, legend) => {
    expect(faults(expr)).toEqual([]);
    const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    const kept = expr.includes(' by ') ? labelsGroupedBy(expr) : LABELS_OF_ALL;
    expect(shown.filter((label) => !kept.includes(label ?? ''))).toEqual([]);
  });

  test('is one that Grafana 12 and newer import', () => {
    expect(dashboard).toMatchObject({ uid: 'vestibule', schemaVersion: 42 });
    expect(targets.length).toBeGreaterThan(20);
  });
});

test('a value that is asked for is one that its label can have', async () => {
  const values = await valuesByLabel();
  const asked = [...rules, ...targets].flatMap(({ expr }) =>
    [...expr.matchAll(/(\w+)\{([^}]*)\}/g)].flatMap(([, name = '', matchers = '']) =>
      [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"([^"]*)"/g)].flatMap(([, label = '', list = '']) => list.split('|').map((value) => ({ key: `${name}.${label}`, value }))),
    ),
  );
  const judged = asked.filter(({ key }) => values.has(key));
  expect(judged.length).toBeGreaterThan(20);
  expect(judged.filter(({ key, value }) => !values.get(key)?.has(value))).toEqual([]);
});

function outcomesOn(panel: string): RegExp {
  return new RegExp(`^(?:${/outcome[!=]~"([^"]*)"/.exec(targets.find(({ title }) => title === panel)?.expr ?? '')?.[1] ?? 'none'})$`);
}

test('what went well of a sign-up is on one panel, all else on the other', async () => {
  const [well, not] = [outcomesOn('Steps that went on'), outcomesOn('Everything else, by step and outcome')];
  expect(not).toEqual(well);
  const rest = [...((await valuesByLabel()).get('vestibule_sign_up_steps_total.outcome') ?? [])].filter((outcome) => !well.test(outcome));
  expect(rest.toSorted()).toEqual(['absent', 'blocked', 'erased', 'expired', 'given_up_before', 'ignored', 'limited', 'not_offered', 'other_attempt_confirmed', 'recorded', 'released', 'revoked', 'spent', 'suppressed', 'trial_ended', 'trial_exists', 'unknown']);
});

test('every metric of ours is on the dashboard or in an alert', () => {
  const used = new Set([...rules, ...targets].flatMap(({ expr }) => metricsIn(expr)).map(({ name }) => name.replace(/_(?:bucket|sum|count)$/, '')));
  const ours = [...labelsByName.keys()].filter((name) => name.startsWith('vestibule_')).map((name) => name.replace(/_(?:bucket|sum|count)$/, ''));
  expect([...new Set(ours)].filter((name) => !used.has(name))).toEqual([]);
});
