import { httpBrowser, type HttpBrowser } from '../platform/http-browser.ts';
import { freshAddress } from '../test/support/person.ts';
import { queryDatabase, stack } from '../test/support/stack.ts';
import { invite } from './realms/invitations.ts';
import { PASSWORD, signIn } from './realms/flow.ts';
import { createUser } from './realms/stock-realm.ts';
import { printRows, type Row } from './report.ts';
import { median } from './statistics.ts';

const SESSIONS = 1_000;
const AT_ONCE = 8;
/** Between the moment that the end is set and the end itself. */
const AHEAD_SECONDS = 20;
/** Others who sign in meanwhile, one after the other. */
const OTHERS = 40;
/** Nobody waits for the cleaning up, so neither does the bench for its end. */
const CLEANED_WITHIN_SECONDS = 60;

interface Person {
  address: string;
  browser: HttpBrowser;
}

/** A thousand people whose trials end at one second: who is refused when, and what those feel who sign in meanwhile. */
export async function expiry({ quick }: { quick: boolean }): Promise<object> {
  const [sessions, others] = quick ? [10, 4] : [SESSIONS, OTHERS];
  const people = await signedIn(sessions);
  console.log(`${people.length} people are signed in`);
  const usernames = await Promise.all(Array.from({ length: others }, () => createUser(stack().realm, freshAddress('other'), PASSWORD)));
  for (const username of usernames) await loginSeconds(username);
  const before = await inTurn(usernames);
  const endsAt = await endTogether(people);
  console.log('their end is set');
  await until(endsAt - 1.5);
  const early = await refused(people.slice(0, Math.min(50, sessions)));
  await until(endsAt + 1);
  const [late, meanwhile] = await Promise.all([refused(people), inTurn(usernames)]);
  await until(endsAt + CLEANED_WITHIN_SECONDS);
  const cleaned = await cleanedUp(people);
  const rows: Row[] = [
    { measured: 'sessions refused before the end', value: early, unit: '' },
    { measured: `of ${sessions} sessions, refused one second after it`, value: late, unit: '', peer: sessions, ratio: late / sessions, target: '= 1', reached: late === sessions && early === 0 },
    { measured: 'logins of others meanwhile, against before', value: median(meanwhile) * 1000, unit: 'ms', peer: median(before) * 1000, ratio: median(meanwhile) / median(before) },
    { measured: `of ${sessions} trials, cleaned up in Keycloak ${CLEANED_WITHIN_SECONDS} s after the end`, value: cleaned, unit: '' },
  ];
  printRows(rows);
  return { sessions, others, rows };
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

/** Epoch seconds. As an extension moves an end: the rows, of which the proxy hears. */
async function endTogether(people: readonly Person[]): Promise<number> {
  const endsAt = Math.floor(Date.now() / 1000) + AHEAD_SECONDS;
  await queryDatabase(
    `with ended as (
       update bridge.trial set trial_ends_at = to_timestamp($1), trial_access_until = to_timestamp($1)
       from bridge.registration where registration.attempt_id = trial.attempt_id and registration.address = any($2) returning trial.user_id, trial.product
     )
     update bridge.life set next_deadline = to_timestamp($1), version = version + 1 from ended where life.user_id = ended.user_id and life.product = ended.product`,
    [endsAt, people.map(({ address }) => address)],
  );
  return endsAt;
}

async function refused(people: readonly Person[]): Promise<number> {
  const answers = await Promise.all(people.map(({ browser }) => browser.json(`${stack().proxy}/api/session`)));
  return answers.filter(({ authenticated }) => authenticated === false).length;
}

async function inTurn(usernames: readonly string[]): Promise<readonly number[]> {
  const seconds = [];
  for (const username of usernames) seconds.push(await loginSeconds(username));
  return seconds;
}

async function loginSeconds(username: string): Promise<number> {
  const started = performance.now();
  await signIn(stack().realm, username);
  return (performance.now() - started) / 1000;
}

/** Whose stamp says that it is over; what was open at its clients ends right after. */
async function cleanedUp(people: readonly Person[]): Promise<number> {
  const [row] = await queryDatabase(`select count(*) from bridge.life where address = any($1) and state = 'expired' and kept_version >= version`, [people.map(({ address }) => address)]);
  return Number(row?.['count']);
}

async function until(epochSeconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, epochSeconds * 1000 - Date.now())));
}
