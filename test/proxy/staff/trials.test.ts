import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pictureOf, totals } from '../../../proxy/staff/trials/funnel-picture.ts';
import { formTokenIn } from '../support/billing.ts';
import type { Browser } from '../support/browser.ts';
import { GRACE } from '../support/staff.ts';
import { startStand, type Stand } from '../support/stand.ts';
import { answerTrials, ERASED, FUNNEL, LISTED, TRIAL, TRIAL_AT, TRIAL_ID, type TrialAnswers } from '../support/trials.ts';

const LIST = '/staff/trials/';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const BECAUSE = 'They asked.';

let stand: Stand;
let trials: TrialAnswers;
let grace: Browser;
beforeAll(async () => {
  stand = await startStand({ staffHere: true });
  stand.provider.person = GRACE;
  trials = answerTrials(stand.bridge);
  grace = await stand.signedIn();
});
afterAll(() => stand.stop());
beforeEach(() => {
  trials.forget();
  stand.bridge.received.length = 0;
});

const post = async (path: string, form: Record<string, string>) => {
  const { body } = await grace.get(path);
  stand.bridge.received.length = 0;
  return grace.post(path, { form_token: formTokenIn(body), ...form });
};
const act = (name: string, form: Record<string, string> = {}) => post(TRIAL_AT, { act: name, reason: BECAUSE, ...form });
const refuses = (call: string, status: number, code: string, field?: string) => trials.answers(call, { status, problem: { code, status, detail: 'No.', ...(field && { field }) } });
const onceIn = (page: string) => page.match(/name="once" value="([^"]+)"/)?.[1];
const keys = async () => [...(await grace.get(TRIAL_AT)).body.matchAll(/name="once" value="([^"]+)"/g)].map(([, key]) => key);
/** What was asked for beside looking. */
const done = () => trials.asked().filter(({ call }) => !call.startsWith('GET'));

describe('the list', () => {
  test('names people, states and ends, and leads to each, to the older ones and to the picture', async () => {
    const { status, body } = await grace.get(LIST);
    expect(status).toBe(200);
    for (const part of [LISTED.username, 'Ending', 'Dec 5, 2026', `href="${TRIAL_AT}"`, 'Somebody who was erased', `${LIST}?after=bmV4dA`, '/staff/trials/funnel/']) expect(body).toContain(part);
    expect(trials.asked()).toMatchObject([{ call: 'GET /api/trial', query: 'limit=25' }]);
  });

  test('is searched by a form: what was looked for stands in no address that a log would keep', async () => {
    const { status, location } = await post(LIST, { search: 'ada@example.com', state: 'ending', product: 'app' });
    expect([status, location]).toEqual([303, expect.stringMatching(/^\/staff\/trials\/\?product=app&state=ending&find=/)]);
    expect(location).not.toMatch(/ada|example/);
    const { body } = await grace.get(location!);
    expect(trials.asked().at(-1)!.query).toBe('product=app&state=ending&search=ada%40example.com&limit=25');
    expect(body).toContain('value="ada@example.com"');
    expect(body).toContain('<option value="ending" selected>');
    expect(body).toContain(`&amp;after=bmV4dA`);
    expect(/href="(\/staff\/trials\/\?[^"]*after=bmV4dA)"/.exec(body)?.[1]).toContain('find=');
  });

  test.each([
    ['a state that there is not', '?state=happy'],
    ['a product that there is not', '?product=other'],
    ['a search that nobody sealed', '?find=ada%40example.com'],
  ])('asks for everything at %s', async (_name, query) => {
    await grace.get(LIST + query);
    expect(trials.asked()).toMatchObject([{ query: 'limit=25' }]);
  });

  test('says so where there is none', async () => {
    trials.answers('GET /api/trial', { trials: [], next_cursor: null });
    expect((await grace.get(LIST)).body).toContain('There is none.');
  });
});

describe('a trial', () => {
  test('has its timeline in words, with who, why and the request id; a kind that nobody knows by its name', async () => {
    const { body } = await grace.get(TRIAL_AT);
    const words = [
      'E-mail sent: the invitation',
      'what looks like a mail scanner (no browser by its name, as soon as the e-mail was out)',
      'Opened the link',
      'Was refused: another address than the invited one',
      'Extended until Dec 5, 2026',
      '<q>They asked by &lt;telephone&gt;.</q>',
      'resold',
      'E-mail not sent: “ends soon” (the mailbox wants no e-mails)',
      '0f0e0d0c-0000-4000-8000-00000000000a',
      '<code>crm</code>',
    ];
    for (const part of words) expect(body).toContain(part);
    expect(body).toContain('You');
    expect(body).not.toContain('staff-grace');
  });

  test('in French', async () => {
    const { body } = await grace.get(`${TRIAL_AT}?lang=fr`);
    for (const part of ['A ouvert le lien', 'Bientôt fini', 'Prolonger l’essai', '5 déc. 2026']) expect(body).toContain(part);
    await grace.get(`${TRIAL_AT}?lang=en`);
  });

  test.each([
    ['ending', TRIAL, ['extend', 'resend', 'convert', 'revoke', 'erase']],
    ['converted', { ...TRIAL, state: 'converted', possible: [] }, ['resend', 'erase']],
    ['revoked', { ...TRIAL, state: 'revoked', possible: [] }, ['erase']],
    ['being erased', { ...TRIAL, state: 'revoked', erasure: 'under_way', second_trial: 'refused', possible: [] }, ['erase']],
    ['erased', ERASED, ['allow']],
    ['erased, and allowed again', { ...ERASED, second_trial: 'allowed' }, []],
  ])('that is %s has the forms of what is possible', async (_name, trial, forms) => {
    trials.answers('GET /api/trial/{id}', trial);
    const { body } = await grace.get(TRIAL_AT);
    expect([...body.matchAll(/name="act" value="(\w+)"/g)].map(([, name]) => name)).toEqual(forms);
  });

  test.each([`/staff/trials/${NOBODY}/`, `/staff/trials/${NOBODY}/export`])('that is not there: 404 at %s', async (path) => {
    refuses('GET /api/trial/{id}', 404, 'not_found');
    refuses('GET /api/trial/{id}/export', 404, 'not_found');
    expect((await grace.get(path)).status).toBe(404);
  });

  test.each(['/staff/trials/x/', '/staff/trials/x/export', `/staff/trials/${TRIAL_ID}x/`, '/staff/trials/funnel', '/staff/trials/..%2fx/'])('no id: %s asks the bridge nothing', async (path) => {
    expect([400, 404]).toContain((await grace.get(path)).status);
    expect(trials.asked()).toEqual([]);
  });

  test('a bridge that is away or lets nobody in is said as what it is', async () => {
    refuses('GET /api/trial/{id}', 403, 'forbidden');
    expect((await grace.get(TRIAL_AT)).status).toBe(502);
  });

  test('everything that is stored comes as a file', async () => {
    const { status, headers, body } = await grace.get(`${TRIAL_AT}export`);
    expect([status, headers.get('content-disposition'), headers.get('content-type')]).toEqual([200, `attachment; filename="trial-${TRIAL_ID}.json"`, 'application/json; charset=utf-8']);
    expect(JSON.parse(body)).toEqual({ trial: { id: TRIAL_ID }, mails: [] });
  });
});

describe('an act', () => {
  test.each<[string, Record<string, string>, string, Record<string, unknown>, string]>([
    ['extend', { days: '10' }, 'POST /api/trial/extend', { user_id: TRIAL.user_id, product: 'app', days: 10 }, 'The trial was extended.'],
    ['resend', {}, 'POST /api/trial/{id}/resend', {}, 'The e-mail is on its way.'],
    ['convert', { plan: ' team ' }, 'POST /api/trial/completion', { user_id: TRIAL.user_id, product: 'app', plan: 'team' }, 'This is a full account now.'],
    ['convert', { plan: '' }, 'POST /api/trial/completion', { user_id: TRIAL.user_id, product: 'app' }, 'This is a full account now.'],
    ['revoke', {}, 'POST /api/trial/{id}/revoke', {}, 'It was revoked.'],
    ['allow', {}, 'POST /api/trial/{id}/allow-again', {}, 'Another trial is allowed.'],
    ['erase', { confirmed: 'yes' }, 'DELETE /api/trial/{id}', {}, 'Erasure was begun.'],
  ])('%s %j goes to the bridge with reason and actor, and is said', async (name, form, call, message, said) => {
    const reply = await act(name, form);
    expect([reply.status, reply.location]).toEqual([303, `${TRIAL_AT}?done=${name}`]);
    expect(done()).toMatchObject([{ call, message: { ...message, reason: BECAUSE, actor: GRACE.sub } }]);
    expect(Object.keys(done()[0]!.message).toSorted()).toEqual([...Object.keys(message), 'actor', 'reason'].toSorted());
    expect((await grace.get(reply.location!)).body).toContain(said);
  });

  test('pressed twice is one act, by the key that its form was given; a form shown again has another', async () => {
    const [first, second] = [await keys(), await keys()];
    expect(new Set([...first, ...second]).size).toBe(first.length * 2);
    await act('extend', { days: '3', once: first[0]! });
    expect(done()[0]!.idempotencyKey).toBe(first[0]);
    await act('extend', { days: '3', once: 'x'.repeat(300) });
    expect(done()[0]!.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('an erasure asks twice: the first form only shows what will be gone', async () => {
    const first = await act('erase');
    expect([first.status, done()]).toEqual([200, []]);
    for (const part of ['Erase ada.lovelace@example.com?', 'Name, address, answers and e-mails are deleted', 'name="confirmed" value="yes"', `name="reason" value="${BECAUSE}"`, `${TRIAL_AT}export`]) expect(first.body).toContain(part);
  });

  test.each<[string, string, Record<string, string>, string]>([
    ['no reason', 'revoke', { reason: ' ' }, 'Say why'],
    ['a reason that is too long', 'revoke', { reason: 'x'.repeat(501) }, 'Say why'],
    ['an erasure without a reason, although confirmed', 'erase', { reason: '', confirmed: 'yes' }, 'Say why'],
    ['no days', 'extend', { days: '' }, 'number of days'],
    ['half a day', 'extend', { days: '1.5' }, 'number of days'],
    ['more than ten years', 'extend', { days: '3651' }, 'number of days'],
    ['a long plan', 'convert', { plan: 'x'.repeat(65) }, 'too long'],
  ])('with %s is not sent: its form stays open with what was typed', async (_name, name, form, alert) => {
    const reply = await act(name, form);
    expect([reply.status, done()]).toEqual([400, []]);
    expect(reply.body).toContain(alert);
    expect(reply.body).toMatch(new RegExp(`<details class="act" open>.{0,200}${name === 'erase' ? 'Erase' : ''}`, 's'));
    expect(reply.body).toContain('aria-invalid="true"');
  });

  test('that is impossible by now is refused with what is possible, and the trial as it is', async () => {
    refuses('POST /api/trial/extend', 409, 'impossible_transition');
    const { body: page } = await grace.get(TRIAL_AT);
    trials.answers('GET /api/trial/{id}', { ...TRIAL, state: 'revoked', possible: [] });
    const reply = await grace.post(TRIAL_AT, { form_token: formTokenIn(page), act: 'extend', reason: BECAUSE, days: '3' });
    expect(reply.status).toBe(409);
    expect(reply.body).toContain('Not done: this trial is now “Revoked”. Possible: nothing.');
    expect(reply.body).toContain('role="alert"');
  });

  test('from a form that was sent before with other words is refused, with the trial as it is and a form that can be sent', async () => {
    const { body: page } = await grace.get(TRIAL_AT);
    refuses('POST /api/trial/extend', 422, 'idempotency_key_reused');
    const reply = await grace.post(TRIAL_AT, { form_token: formTokenIn(page), act: 'extend', reason: BECAUSE, days: '3', once: onceIn(page) ?? '' });
    expect([reply.status, reply.body]).toEqual([409, expect.stringMatching(/role="alert"[^<]*>.{0,80}Not done: this form was sent before/s)]);
    expect([reply.body.includes('value="3"'), onceIn(reply.body) === onceIn(page)]).toEqual([true, false]);
  });

  test.each([
    ['resend', {}, 'POST /api/trial/{id}/resend', 'asked for no more e-mails'],
    ['erase', { confirmed: 'yes' }, 'DELETE /api/trial/{id}', 'Try again in ten minutes'],
    ['allow', {}, 'POST /api/trial/{id}/allow-again', 'Nothing keeps this address'],
  ])('%s that can not be done as things are: 409, and why', async (name, form, call, why) => {
    refuses(call, 409, 'not_possible');
    const reply = await act(name, form);
    expect([reply.status, reply.body]).toEqual([409, expect.stringContaining(why)]);
  });

  test.each(['', 'EXTEND', 'constructor', '__proto__', 'delete'])('named %j is none: 400', async (name) => {
    expect((await act(name)).status).toBe(400);
    expect(trials.asked()).toEqual([]);
  });

  test('that Keycloak has not heard of yet says so', async () => {
    trials.answers('GET /api/trial/{id}', { ...TRIAL, held_by_keycloak: false });
    expect((await grace.get(`${TRIAL_AT}?done=extend`)).body).toContain('Keycloak was away');
  });

  test('made by somebody else’s words in the address is none', async () => {
    expect((await grace.get(`${TRIAL_AT}?done=<b>`)).body).not.toContain('role="status"');
  });
});

describe('the funnel', () => {
  test('is a picture with the numbers in a table beside it', async () => {
    const { body } = await grace.get('/staff/trials/funnel/?from=2026-11-01&to=2026-11-30&product=app');
    expect(trials.asked()).toMatchObject([{ call: 'GET /api/trial/funnel', query: 'from=2026-11-01&to=2026-11-30&product=app' }]);
    expect(body).toContain('Invited: 16 (100%); Opened: 13 (81%); Registered: 8 (50%); Active: 6 (38%); Converted: 2 (13%)');
    expect(body.match(/<svg class="funnel"[^>]*role="img"/g)).toHaveLength(2);
    expect(body).toMatch(/<td>2026-11-02<\/td>.*?<td class="amount">12<\/td>/s);
  });

  test('shows the last thirty days where nothing is said', async () => {
    await grace.get('/staff/trials/funnel/');
    const query = new URLSearchParams(trials.asked()[0]!.query);
    expect((Date.parse(query.get('to')!) - Date.parse(query.get('from')!)) / 86_400_000).toBe(29);
  });

  test('days that the bridge refuses are said', async () => {
    refuses('GET /api/trial/funnel', 400, 'invalid_request', 'to');
    const reply = await grace.get('/staff/trials/funnel/?from=2026-11-30&to=2026-11-01');
    expect([reply.status, reply.body]).toEqual([400, expect.stringContaining('The first day must come before the last')]);
  });

  test('of no trials divides by nothing', () => {
    expect(totals([]).map(({ percent }) => percent)).toEqual([0, 0, 0, 0, 0]);
    expect(pictureOf([], '2026-11-01', '2026-11-02').bars).toEqual([]);
  });

  test('draws each stage over the one before, on its day, as high as it is many', () => {
    const { bars, highest } = pictureOf(FUNNEL.days, '2026-11-01', '2026-11-04');
    expect(highest).toBe(12);
    expect(bars.filter(({ stage }) => stage === 'invited').map(({ height }) => height)).toEqual([200, 66.67]);
    expect(bars.every(({ y, height }) => Math.abs(y + height - 200) < 0.02)).toBe(true);
    expect(new Set(bars.map(({ x }) => x)).size).toBe(2);
  });
});
