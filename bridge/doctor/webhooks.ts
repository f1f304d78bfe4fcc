import type { Db } from '../db/schema.ts';
import { findBacklog } from '../webhooks/delivery.store.ts';
import type { Endpoint } from '../webhooks/endpoints.ts';
import { whyOutOfReach } from '../webhooks/reach.ts';
import type { Diagnosis } from './check.ts';
import type { Finding } from './finding.ts';

const LONG_SECONDS = 900;

/** Whether the apps that are told of trials can be dialled, and what they have not taken. */
export async function checkWebhooks(db: Db, endpoints: readonly Endpoint[], { development }: { development: boolean }): Promise<Diagnosis> {
  const [dialled, backlog] = await Promise.all([Promise.all(endpoints.map((endpoint) => dial(endpoint, development))), findBacklog(db)]);
  const findings = [
    ...dialled.flat(),
    ...(backlog.dead > 0 ? [finding(`${backlog.dead} events were given up, and what follows of their trials waits`, 'npm run webhooks -- list --dead says why. Mend the app, then npm run webhooks -- replay --dead.')] : []),
    ...(backlog.oldestSeconds > LONG_SECONDS ? [finding(`an event has waited for ${Math.round(backlog.oldestSeconds / 60)} minutes`, 'npm run webhooks -- list says what the app answered. It is tried again by itself.')] : []),
  ];
  return { passed: findings.length === 0 ? ['webhooks'] : [], findings, skipped: [] };
}

function finding(detail: string, advice: string): Finding {
  return { check: 'webhooks', subject: 'the apps', detail, advice };
}

async function dial({ product, url }: Endpoint, anyAddress: boolean): Promise<readonly Finding[]> {
  const why = await whyOutOfReach(url, { anyAddress });
  if (why === undefined) return [];
  const advice = why === 'private_address' ? 'Give the app a public https address for webhooks: in production they go nowhere else.' : 'Look whether the app runs, and whether this machine reaches it; correct webhook.url in products.yaml.';
  return [{ check: 'webhooks', subject: `the app of ${product}`, detail: `can't be dialled at ${new URL(url).origin}: ${why}`, advice }];
}
