import type { TestServer } from './servers.ts';

export const TRIAL_ID = '7d4f3a52-2b0e-4ad3-8c7e-0d3f3b1a9c07';
export const TRIAL_AT = `/staff/trials/${TRIAL_ID}/`;
const USER_ID = 'b7c9a1de-1111-4222-8333-944444444444';
/** 2026-11-21 12:00 UTC */
const BEGAN = 1_795_262_400;
const DAY = 86_400;

const event = (at: number, kind: string, actor: string, detail: object = {}, more: object = {}) => ({ at: BEGAN + at, kind, from: null, to: null, actor, reason: null, request_id: '0f0e0d0c-0000-4000-8000-00000000000a', detail, ...more });

export const TRIAL = {
  id: TRIAL_ID,
  product: 'app',
  state: 'ending',
  username: 'ada.lovelace@example.com',
  user_id: USER_ID,
  began_at: BEGAN,
  trial_ends_at: BEGAN + 14 * DAY,
  trial_access_until: BEGAN + 17 * DAY,
  plan: null,
  trial_app: '5a1b',
  held_by_keycloak: true,
  erasure: null,
  second_trial: null,
  possible: ['extend', 'convert', 'revoke'],
  timeline: [
    event(0, 'invited', 'person'),
    event(1, 'mail_queued', 'person', { mail: 'invitation' }),
    event(2, 'mail_sent', 'bridge', { mail: 'invitation' }),
    event(3, 'link_opened', 'scanner', { by: 'scanner', signs: ['user_agent', 'too_soon'] }),
    event(600, 'link_opened', 'person', { by: 'person' }),
    event(601, 'form_shown', 'person'),
    event(640, 'refused', 'person', { reason: 'username_mismatch' }),
    event(700, 'registered', 'person', {}, { from: 'invited', to: 'active', request_id: null }),
    event(701, 'confirmed', 'keycloak', {}, { request_id: null }),
    event(705, 'provisioned', 'bridge'),
    event(710, 'signed_in', 'person'),
    event(DAY, 'extended', 'staff:staff-grace', { ends_at: '2026-12-05T12:00:00.000Z' }, { reason: 'They asked by <telephone>.' }),
    event(2 * DAY, 'resold', 'client:crm', {}),
    event(7 * DAY, 'reminded', 'sweep', {}, { from: 'active', to: 'ending', request_id: null }),
    event(7 * DAY, 'mail_failed', 'bridge', { mail: 'trial_reminder', failure: 'suppressed' }),
  ],
};
export const ERASED = { ...TRIAL, state: 'revoked', username: null, user_id: null, trial_app: null, trial_ends_at: null, trial_access_until: null, erasure: 'done', second_trial: 'refused', possible: [] };

const { timeline: _timeline, possible: _possible, ...listed } = TRIAL;
export const LISTED = { id: listed.id, product: listed.product, state: listed.state, username: listed.username, user_id: listed.user_id, began_at: listed.began_at, trial_ends_at: listed.trial_ends_at };

export const FUNNEL = {
  days: [
    { day: '2026-11-02', product: 'app', invited: 12, opened: 9, registered: 7, active: 6, converted: 2 },
    { day: '2026-11-03', product: 'app', invited: 4, opened: 4, registered: 1, active: 0, converted: 0 },
  ],
};

const ANSWERS: Readonly<Record<string, object>> = {
  'GET /api/trial': { trials: [LISTED, { ...LISTED, id: TRIAL_ID.replace('7d', '8d'), username: null, state: 'revoked', trial_ends_at: null }], next_cursor: 'bmV4dA' },
  'GET /api/trial/{id}': TRIAL,
  'GET /api/trial/{id}/export': { trial: { id: TRIAL_ID }, mails: [] },
  'GET /api/trial/funnel': FUNNEL,
  ...Object.fromEntries(['POST /api/trial/extend', 'POST /api/trial/completion', 'POST /api/trial/{id}/resend', 'POST /api/trial/{id}/revoke', 'POST /api/trial/{id}/allow-again', 'DELETE /api/trial/{id}'].map((call) => [call, listed])),
};

export interface AskedOfTrials {
  call: string;
  query: string;
  message: Record<string, unknown>;
  idempotencyKey: string | undefined;
}

export interface TrialAnswers {
  /** From now on, until `forget`. A `problem` is answered with its `status`. */
  answers(call: string, answer: object): void;
  asked(): AskedOfTrials[];
  forget(): void;
}

/** Managing trials, as the bridge answers it where all goes well. */
export function answerTrials(bridge: TestServer): TrialAnswers {
  let given: Record<string, object> = {};
  const other = bridge.answer;
  bridge.answer = (req, res, body) => {
    const answer = { ...ANSWERS, ...given }[callOf(req.method ?? '', req.url ?? '')];
    if (answer === undefined) return other(req, res, body);
    if ('problem' in answer) {
      const { status, problem } = answer as { status: number; problem: object };
      return void res.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
    }
    return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
  return {
    answers: (call, answer) => {
      given = { ...given, [call]: answer };
    },
    asked: () =>
      bridge.received.flatMap(({ method, url, body, headers }) => {
        const call = callOf(method, url);
        if (!(call in ANSWERS)) return [];
        return [{ call, query: url.split('?', 2)[1] ?? '', message: (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>, idempotencyKey: headers['idempotency-key'] as string | undefined }];
      }),
    forget: () => {
      given = {};
    },
  };
}

function callOf(method: string, url: string): string {
  return `${method} ${url.split('?', 1)[0]!.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, '{id}')}`;
}
