import type { Translate } from '../../pages/pages.ts';
import type { TrialEvent } from './trial-wire.ts';

export interface TimelineLine {
  at: number;
  /** What happened, in words. */
  what: string;
  who: string;
  /** Of staff: their `sub`; of a program: its client. */
  whoExactly: string | undefined;
  reason: string | null;
  requestId: string | null;
}

const ACTORS = new Set(['person', 'scanner', 'keycloak', 'sweep', 'bridge', 'app', 'staff', 'client']);

export function timelineLines(t: Translate, words: { date(seconds: number): string; has(key: string): boolean }, you: string, timeline: readonly TrialEvent[]): readonly TimelineLine[] {
  return timeline.map((event) => {
    const [kind = '', name] = event.actor.split(/:(.*)/s, 2);
    return {
      at: event.at,
      what: sentence(t, words, event),
      who: name === you && kind === 'staff' ? t('trials.actor.you') : ACTORS.has(kind) ? t(`trials.actor.${kind}`) : event.actor,
      whoExactly: name === you ? undefined : name || undefined,
      reason: event.reason,
      requestId: event.request_id,
    };
  });
}

/** A kind that these pages don't know yet is told by its name: nothing of a timeline is hidden. */
function sentence(t: Translate, { date, has }: { date(seconds: number): string; has(key: string): boolean }, { kind, detail }: TrialEvent): string {
  const named = (group: string, value: unknown): string => (has(`trials.${group}.${String(value)}`) ? t(`trials.${group}.${String(value)}`) : String(value));
  const key = kind === 'link_opened' && detail['by'] === 'scanner' ? 'trials.event.link_scanned' : `trials.event.${kind}`;
  if (!has(key)) return kind;
  const signs = Array.isArray(detail['signs']) ? detail['signs'].map((sign) => named('sign', sign)).join(', ') : '';
  return t(key, {
    mail: named('mail', detail['mail']),
    reason: named('refusal', detail['reason']),
    failure: named('failure', detail['failure']),
    account: named('account', detail['account']),
    plan: typeof detail['plan'] === 'string' ? ` (${detail['plan']})` : '',
    until: typeof detail['ends_at'] === 'string' ? date(Date.parse(detail['ends_at']) / 1000) : '',
    signs,
  });
}
