import { httpBrowser, type HttpBrowser } from '../platform/http-browser.ts';
import { keycloakAdmin } from '../test/support/keycloak-admin.ts';
import { freshAddress } from '../test/support/person.ts';
import { queryDatabase, stack } from '../test/support/stack.ts';
import { invite } from './realms/invitations.ts';
import { PASSWORD, signIn } from './realms/flow.ts';
import { createUser } from './realms/stock-realm.ts';
import { printRows, type Row } from './report.ts';
import { median } from './statistics.ts';

const SESSIONS = 1_000;
const AT_ONCE = 8;
/** Between the moment that the end is set and the end itself: Keycloak hears of a thousand ends one after the other. */
const AHEAD_SECONDS = 180;
/** It takes some seconds to ask all, and none may be asked after the end. */
const LAST_LOOK_SECONDS = 10;
/** Who signs in meanwhile, one after the other, again and again. */
const OTHERS = 40;
const CLEANED_WITHIN_SECONDS = 300;

interface Person {
  address: string;
  browser: HttpBrowser;
}

/** A thousand people whose trials end at one second: who is refused when, and what those feel who sign in meanwhile. */
export async function expiry({ quick }: { quick: boolean }): Promise<object> {
  const [sessions, others, ahead] = quick ? [10, 4, 30] : [SESSIONS, OTHERS, AHEAD_SECONDS];
  const people = await signedIn(sessions);
  console.log(`${people.length} people are signed in`);
  const usernames = await Promise.all(Array.from({ length: others }, () => createUser(stack().realm, freshAddress('other'), PASSWORD)));
  for (const username of usernames) await loginSeconds(username);
  const before = [];
  for (const username of usernames) before.push(await loginSeconds(username));
  const endsAt = Math.floor(Date.now() / 1000) + ahead;
  const lives = await endTogether(people, endsAt);
  await kept(lives, endsAt - LAST_LOOK_SECONDS);
  console.log('their end is set, and Keycloak knows it');
  await until(endsAt - LAST_LOOK_SECONDS);
  const early = await refused(people);
  if (Date.now() >= endsAt * 1000) throw new Error(`To ask ${sessions} sessions took longer than ${LAST_LOOK_SECONDS} s: the machine is too busy for this bench.`);
  await until(endsAt + 1);
  const [late, meanwhile] = await Promise.all([refused(people), loginsUntilCleaned(usernames, lives, endsAt)]);
  const left = await sessionsLeft(lives);
  const rows: Row[] = [
    { measured: `of ${sessions} sessions, refused in the last ${LAST_LOOK_SECONDS} s before the end`, value: early, unit: '', target: '= 0', reached: early === 0 },
    { measured: `of ${sessions} sessions, refused one second after it`, value: late, unit: '', peer: sessions, ratio: late / sessions, target: '= 1', reached: late === sessions },
    { measured: `logins of others while ${sessions} sessions are cleaned up in Keycloak, against before`, value: median(meanwhile.seconds) * 1000, unit: 'ms', peer: median(before) * 1000, ratio: median(meanwhile.seconds) / median(before) },
    { measured: 'cleaned up after', value: meanwhile.cleanedAfter, unit: 's' },
    { measured: 'sessions of theirs that are left in Keycloak', value: left, unit: '', target: '= 0', reached: left === 0 },
  ];
  printRows(rows);
  return { sessions, others, loginsMeanwhile: meanwhile.seconds.length, rows };
}

async function signedIn(count: number): Promise<readonly Person[]> {
  const invited = [...(await invite('expiry', count))];
  const people: Person[] = [];
  const work = async (): Promise<void> => {
    for (let next = invited.pop(); next !== undefined; next = invited.pop()) {
      const browser = httpBrowser();
      const form = await browser.get(`${stack().proxy}/api/login?${new URLSearchParams({ invitation_token: next.token }).toString()}`);
      await browser.submit(form.form('kc-register-form'), { firstName: 'Ada', lastName: 'Lovelace', password: PASSWORD, 'password-confirm': PASSWORD });
      people.push({ address: next.address, browser });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const out = await refused(people);
  if (out > 0) throw new Error(`${out} of ${count} people who registered are not signed in: Keycloak's log names the refusals.`);
  return people;
}

/** As an extension moves an end: the rows, of which the proxy hears, and the job that tells Keycloak. Answers their lives. */
async function endTogether(people: readonly Person[], endsAt: number): Promise<readonly string[]> {
  const rows = await queryDatabase(
    `with ended as (
       update bridge.trial set trial_ends_at = to_timestamp($1), trial_access_until = to_timestamp($1)
       from bridge.registration where registration.attempt_id = trial.attempt_id and registration.address = any($2) returning trial.user_id, trial.product
     ), moved as (
       update bridge.life set next_deadline = to_timestamp($1), version = version + 1 from ended where life.user_id = ended.user_id and life.product = ended.product returning life.id
     )
     select id, graphile_worker.add_job('keep_life', json_build_object('life_id', id), job_key => 'keep:' || id, queue_name => 'keep_life') from moved`,
    [endsAt, people.map(({ address }) => address)],
  );
  return rows.map(({ id }) => String(id));
}

/** Keycloak has the end in every stamp. */
async function kept(lives: readonly string[], before: number): Promise<void> {
  while ((await countLives(lives, 'kept_version >= version')) < lives.length) {
    if (Date.now() >= before * 1000) throw new Error('Keycloak did not hear of every end in time: the machine is too busy for this bench.');
    await until(Date.now() / 1000 + 1);
  }
}

async function countLives(lives: readonly string[], condition: string): Promise<number> {
  const [row] = await queryDatabase(`select count(*) from bridge.life where id = any($1::uuid[]) and ${condition}`, [lives]);
  return Number(row?.['count']);
}

/** Others sign in for as long as there is something to clean up. */
async function loginsUntilCleaned(usernames: readonly string[], lives: readonly string[], endsAt: number): Promise<{ seconds: readonly number[]; cleanedAfter: number }> {
  const seconds: number[] = [];
  for (;;) {
    for (const username of usernames) seconds.push(await loginSeconds(username));
    const cleanedAfter = Date.now() / 1000 - endsAt;
    const isDone = `state = 'expired' and not exists (select from graphile_worker.jobs where key = 'keep:' || life.id)`;
    if ((await countLives(lives, isDone)) === lives.length) return { seconds, cleanedAfter };
    if (cleanedAfter > CLEANED_WITHIN_SECONDS) throw new Error(`The sessions were not cleaned up in Keycloak within ${CLEANED_WITHIN_SECONDS} s: see the job keep_life in the bridge's log.`);
  }
}

async function sessionsLeft(lives: readonly string[]): Promise<number> {
  const ids = (await queryDatabase('select user_id from bridge.life where id = any($1::uuid[])', [lives])).map((row) => String(row['user_id']));
  let left = 0;
  const work = async (): Promise<void> => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) left += ((await keycloakAdmin().get(`/users/${id}/sessions`)) as readonly unknown[]).length;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return left;
}

async function refused(people: readonly Person[]): Promise<number> {
  const answers = await Promise.all(people.map(({ browser }) => browser.json(`${stack().proxy}/api/session`)));
  return answers.filter(({ authenticated }) => authenticated === false).length;
}

async function loginSeconds(username: string): Promise<number> {
  const started = performance.now();
  await signIn(stack().realm, username);
  return (performance.now() - started) / 1000;
}

async function until(epochSeconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, epochSeconds * 1000 - Date.now())));
}
