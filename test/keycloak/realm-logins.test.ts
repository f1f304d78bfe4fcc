import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../platform/http-browser.ts';
import { freshAddress } from '../support/person.ts';
import { openRelay, type Relay } from '../support/relay.ts';
import { stack } from '../support/stack.ts';
import { createRealm, PASSWORD, RETURN_TO, type OtherRealm } from '../support/realm-command.ts';

const LIMIT_MS = 300_000;
const LOOPS = 3;
/** In turn: brute-force detection refuses somebody whose last sign-in it still writes down (DefaultBlockingBruteForceProtector), whatever flow is bound. */
const PEOPLE_IN_A_LOOP = 12;
const OPEN_PAGES = 4;

let realm: OtherRealm;
let looping: Person[][];
let waiting: Person[];
beforeAll(async () => {
  realm = await createRealm();
  const add = (length: number): Promise<Person[]> => Promise.all(Array.from({ length }, () => realm.addPerson()));
  waiting = await add(OPEN_PAGES);
  looping = [];
  while (looping.length < LOOPS) looping.push(await add(PEOPLE_IN_A_LOOP));
});
afterAll(() => realm.delete());

const browser = (): HttpBrowser => httpBrowser({ follow: (url) => !url.href.startsWith(RETURN_TO) });
const isIn = (page: Visit): boolean => page.url.startsWith(RETURN_TO) && page.url.includes('code=');

interface Person {
  username: string;
}

interface Tally {
  signedIn: number;
  /** The form once more, and then in. */
  askedAgain: number;
  failures: string[];
}

async function finish(person: HttpBrowser, page: Visit, values: Record<string, string>, tally: Tally, what: string): Promise<void> {
  try {
    let next = await person.submit(page, values);
    if (!isIn(next) && next.body.includes('kc-form-login')) {
      tally.askedAgain += 1;
      next = await person.submit(next, values);
    }
    if (isIn(next)) tally.signedIn += 1;
    else tally.failures.push(`${what}: ${next.status} ${next.url.split('?')[0]} ${/<title>[\s\S]*?<\/title>|kc-page-title[^<]*<[^<]*|instruction[^<]*<[^<]*/.exec(next.body)?.[0] ?? ''}`);
  } catch (error) {
    tally.failures.push(`${what}: ${error instanceof Error ? error.message.slice(0, 300) : String(error)}`);
  }
}

/** Signs in by password, in again by the cookie, and starts over with another browser, until it is told to stop. */
async function loop(people: readonly Person[], tally: Tally, until: AbortSignal): Promise<void> {
  for (let turn = 0; !until.aborted; turn += 1) {
    const username = people[turn % people.length]?.username ?? '';
    const person = browser();
    await finish(person, await person.get(realm.authorizationUrl()), { username, password: PASSWORD }, tally, 'loop');
    const again = await person.get(realm.authorizationUrl());
    if (!isIn(again)) tally.failures.push(`cookie: ${again.status} ${again.url.split('?')[0]}`);
  }
}

/** What people see while `during` runs: some sign in over and over, some have had a page open since before. */
async function peopleDuring(during: () => Promise<void>): Promise<Tally> {
  const tally: Tally = { signedIn: 0, askedAgain: 0, failures: [] };
  const opened = await Promise.all(
    waiting.map(async ({ username }) => {
      const person = browser();
      return { person, username, page: await person.get(realm.authorizationUrl()) };
    }),
  );
  const registering = browser();
  const form = await registering.get(realm.authorizationUrl('shop', { prompt: 'create' }));
  const end = new AbortController();
  const loops = looping.map((people) => loop(people, tally, end.signal));
  try {
    await during();
  } finally {
    end.abort();
    await Promise.all(loops);
  }
  for (const { person, username, page } of opened) await finish(person, page, { username, password: PASSWORD }, tally, 'open page');
  await register(registering, form, tally);
  return tally;
}

/** Whose flow is another one by now gets the account all the same, and is asked by Keycloak to sign in with it. */
async function register(person: HttpBrowser, form: Visit, tally: Tally): Promise<void> {
  const email = freshAddress('open');
  const page = await person.submit(form, { email, firstName: 'Ada', lastName: 'Lovelace', password: PASSWORD, 'password-confirm': PASSWORD });
  if (isIn(page)) tally.signedIn += 1;
  else if (!page.body.includes('Action expired. Please continue with login now.')) tally.failures.push(`open registration: ${page.status} ${page.url.split('?')[0]}`);
  else {
    tally.askedAgain += 1;
    await finish(person, await person.get(realm.authorizationUrl('shop')), { username: email, password: PASSWORD }, tally, 'after the registration');
  }
}

let relay: Relay | undefined;
afterAll(() => relay?.close());

const command = async (name: string, ...args: string[]): Promise<void> => {
  const { status, output } = await realm.run(name, args);
  if (status !== 0) throw new Error(output);
};

test('people sign in while the realm is taken up, and a page that was open goes on where it stood', async () => {
  const tally = await peopleDuring(() => command('apply'));
  expect(tally).toMatchObject({ askedAgain: 0, failures: [] });
  expect(tally.signedIn).toBeGreaterThan(LOOPS + OPEN_PAGES);
}, LIMIT_MS);

test('they sign in while the flows are made anew, as an upgrade does', async () => {
  // Somebody took the last step out of the bound flow: what a release that wants another step finds.
  const path = '/authentication/flows/browser%20with%20vestibule/executions';
  const step = (await realm.admin.get(path)).find((one: { providerId?: string }) => one.providerId === 'trial-expiration-authenticator');
  await realm.admin.delete(`/authentication/executions/${step.id}`);
  const tally = await peopleDuring(() => command('apply'));
  expect((await realm.admin.get('')).browserFlow).toBe('browser with vestibule 2');
  expect(tally).toMatchObject({ askedAgain: 0, failures: [] });
}, LIMIT_MS);

test('they sign in while apply is cut off after every few writes, and the last run completes it', async () => {
  await command('remove', '--yes', '--now');
  const between = await openRelay(Number(new URL(stack().keycloak).port));
  relay = between;
  const env = { KEYCLOAK_INTERNAL_URL: `http://127.0.0.1:${between.port}`, KEYCLOAK_NODE_URLS: stack().keycloak };
  let cuts = 0;
  const tally = await peopleDuring(async () => {
    for (const sees of CUT_AT) {
      between.inject({ sees, does: 'hold-answer' });
      const process = realm.start('apply', [], env);
      const output = Promise.all([text(process.stdout!), text(process.stderr!)]);
      const ended = once(process, 'close');
      await eventually(() => between.held() > 0 || process.exitCode !== null, LIMIT_MS);
      process.kill('SIGKILL');
      await ended;
      if (process.signalCode !== 'SIGKILL') throw new Error(`apply was not cut off at ${sees}:\n${(await output).join('')}`);
      cuts += 1;
      between.cut();
      await between.mend();
    }
    await command('apply');
  });
  expect(cuts).toBe(CUT_AT.length);
  expect(tally).toMatchObject({ askedAgain: 0, failures: [] });
  expect(await realm.run('apply')).toEqual({ status: 0, output: 'Nothing to change.\n' });
  const flows: { alias: string; description?: string }[] = await realm.admin.get('/authentication/flows');
  expect(flows.filter(({ alias }) => alias.includes('with vestibule')).map(({ alias }) => alias).toSorted()).toEqual(['browser', 'direct grant', 'first broker login', 'registration', 'reset credentials'].map((one) => `${one} with vestibule`));
}, LIMIT_MS);

/** Held after Keycloak has it: what apply was told is lost with it. */
const CUT_AT = [
  '"clientId":"vestibule-bridge"',
  '"trial-manage"',
  'flows/browser/copy',
  '"vestibule-flow-succession"',
  'flows/registration/copy',
  'registration%20with%20vestibule%20registration%20form/copy',
  '"browserFlow"',
];

test('they sign in while stock binds the flows of before; who had a page open is asked at most once more', async () => {
  const tally = await peopleDuring(() => command('stock'));
  expect(tally).toMatchObject({ failures: [] });
  expect(await realm.doctor()).not.toMatchObject({ findings: [] });
}, LIMIT_MS);

test('and while everything is taken out', async () => {
  await command('apply');
  await command('stock');
  const tally = await peopleDuring(() => command('remove', '--yes', '--now'));
  expect(tally).toMatchObject({ failures: [] });
}, LIMIT_MS);
