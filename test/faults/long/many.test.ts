import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { runDoctor } from '../../support/doctor.ts';
import { eventually } from '../../support/eventually.ts';
import { freshAddress } from '../../support/person.ts';
import { inbox, queryDatabase, stack } from '../../support/stack.ts';
import { isSignedIn, register } from '../../support/visitor.ts';
import { everythingIsReady, openLink, releaseIsDue, userIds } from '../support/ending.ts';
import { planKills, type PlannedKill } from '../support/kill-plan.ts';
import { hurry, invitationIn, mailsTo } from '../support/mails.ts';
import { kill, start } from '../support/stand.ts';

/** Of people who sign up, and of the plan by which parts are killed. */
const SIGN_UPS = Number(process.env['FAULT_SIGNUPS'] || 500);
const SEED = Number(process.env['FAULT_SEED'] || 1);
const AT_ONCE = 6;
const PATIENCE_MS = 300_000;
const SENDERS = 4;

const kills: PlannedKill[] = [];
let killing: Promise<void> = Promise.resolve();

/** What others take to come back. */
const MAIL_SERVER_AWAY_MS = 2_000;

/** One after the other: what is down is started again before the next is killed. */
function carryOut(planned: PlannedKill): void {
  killing = killAfter(killing, planned);
}

async function killAfter(earlier: Promise<void>, planned: PlannedKill): Promise<void> {
  await earlier;
  await delay(planned.afterMilliseconds);
  await kill(planned.part);
  if (planned.part === 'mail') await delay(MAIL_SERVER_AWAY_MS);
  await start(planned.part);
  // Jobs that failed meanwhile would wait longer than people do here.
  await hurry();
  kills.push(planned);
}

interface Person {
  address: string;
  /** How often register answered 202. */
  accepted: number;
  /** How often it broke off without an answer: such a request may have been taken or not. */
  unanswered: number;
  link: string;
  signedIn: boolean;
}

/** Tries as people do: asks until it is answered, waits for the mail, opens its link again when something went wrong. */
async function signUp(): Promise<Person> {
  const person: Person = { address: freshAddress('ada'), accepted: 0, unanswered: 0, link: '', signedIn: false };
  const { address } = person;
  await eventually(async () => {
    const answer = await register(address).catch(() => undefined);
    if (answer === undefined || answer.status >= 500) person.unanswered += 1;
    person.accepted += answer?.status === 202 ? 1 : 0;
    return person.accepted > 0;
  }, PATIENCE_MS);
  const mail = await eventually(async () => (await inbox.messages()).find((message) => message.to === address), PATIENCE_MS);
  person.link = invitationIn(mail);
  const until = Date.now() + PATIENCE_MS;
  while (!person.signedIn && Date.now() < until) {
    person.signedIn = await openLink(person.link, address).then(isSignedIn, () => false);
  }
  return person;
}

async function signUpAll(): Promise<Person[]> {
  const plan = planKills(SIGN_UPS, SEED);
  const people: Person[] = [];
  let started = 0;
  const queue = async (): Promise<void> => {
    while (started < SIGN_UPS) {
      const number = started;
      started += 1;
      plan.filter(({ signUp }) => signUp === number).forEach(carryOut);
      people.push(await signUp());
    }
  };
  const queues = await Promise.allSettled(Array.from({ length: AT_ONCE }, queue));
  await killing;
  expect(queues.filter(({ status }) => status === 'rejected')).toEqual([]);
  return people;
}

test(`${SIGN_UPS} sign-ups while parts are killed by plan ${SEED}: everybody is signed in or has a link that works, and no account is half made`, async () => {
  await fetch(`${stack().inbox}/api/messages`, { method: 'DELETE' });
  const started = performance.now();
  const people = await signUpAll();
  const seconds = (performance.now() - started) / 1000;
  await everythingIsReady();
  const late = people.filter(({ signedIn }) => !signedIn);
  for (const { address, link } of late) expect(isSignedIn(await openLink(link, address))).toBe(true);

  const addresses = people.map(({ address }) => address);
  await eventually(async () => {
    await hurry();
    const rows = await queryDatabase(`select address from bridge.registration where address = any($1) and state = 'confirmed'`, [addresses]);
    return rows.length === people.length;
  }, PATIENCE_MS);
  expect((await runDoctor('consistency')).findings).toEqual([]);
  await releaseIsDue(async () => {
    await eventually(async () => {
      await hurry();
      return (await queryDatabase(`select 1 from bridge.registration where state = 'pending'`)).length === 0;
    }, PATIENCE_MS);
  });
  for (const address of addresses) expect(await userIds(address)).toHaveLength(1);

  const unsent = await queryDatabase(`select address, state from bridge.mail where address = any($1) and state <> 'sent'`, [addresses]);
  expect(unsent).toEqual([]);
  const [{ meant } = {}] = await queryDatabase('select count(*)::int as meant from bridge.mail where address = any($1)', [addresses]);
  const received = await Promise.all(addresses.map(mailsTo));
  expect(people.filter(({ accepted }, index) => (received[index] ?? 0) < accepted)).toEqual([]);
  expect(people.filter(({ accepted, unanswered }, index) => (received[index] ?? 0) > accepted + unanswered + SENDERS)).toEqual([]);
  const sum = received.reduce((all, one) => all + one, 0);
  // Each kill of the bridge, its database or the mail server may fall between taking a mail and marking it, once for each under way.
  const crashes = kills.filter(({ part }) => part === 'bridge' || part === 'postgres' || part === 'mail').length;
  expect(sum).toBeGreaterThanOrEqual(Number(meant));
  expect(sum).toBeLessThanOrEqual(Number(meant) + crashes * SENDERS);

  const killed = Object.entries(Object.groupBy(kills, ({ part }) => part)).map(([part, all]) => `${part} ${all.length}`);
  const states = await queryDatabase('select state, count(*)::int as count from bridge.registration where address = any($1) group by state order by state', [addresses]);
  process.stderr.write(
    `${SIGN_UPS} sign-ups, seed ${SEED}, ${seconds.toFixed(0)} s. Killed: ${killed.join(', ')}. Attempts: ${states.map(({ state, count }) => `${String(state)} ${String(count)}`).join(', ')}. ` +
      `Signed in while parts were killed: ${SIGN_UPS - late.length}, by the same link afterwards: ${late.length}. Mails meant ${String(meant)}, received ${sum}.\n`,
  );
}, SIGN_UPS * 10_000 + 600_000);
