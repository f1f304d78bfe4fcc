import { expect } from '@jest/globals';
import { RELEASE_AFTER_MINUTES } from '../../../bridge/trial/reconcile.service.ts';
import { runDoctor } from '../../support/doctor.ts';
import { eventually } from '../../support/eventually.ts';
import { httpBrowser, type HttpBrowser, type Visit } from '../../../platform/http-browser.ts';
import { keycloakAdmin } from '../../support/keycloak-admin.ts';
import { moveClock, queryDatabase, stack } from '../../support/stack.ts';
import { isSignedIn, PASSWORD, submitForm } from '../../support/visitor.ts';
import { hurry, mailsTo } from './mails.ts';

const SETTLES_WITHIN_MS = 40_000;
const RELEASE_SECONDS = RELEASE_AFTER_MINUTES * 60 + 60;

export interface Attempt {
  attempt_id: string;
  user_id: string;
  state: string;
  outcome: string | null;
}

/** Every attempt of an address, oldest first. */
export async function attempts(address: string): Promise<Attempt[]> {
  return (await queryDatabase('select attempt_id, user_id, state, outcome from bridge.registration where address = $1 order by attempted_at', [address])) as unknown as Attempt[];
}

export async function userIds(address: string): Promise<string[]> {
  // A Keycloak that was killed may not know the admin's session any more: the next token is good.
  const users = await eventually<{ id: string }[]>(() => keycloakAdmin().get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`), SETTLES_WITHIN_MS);
  return users.map(({ id }) => id);
}

/** Every part says so, and Keycloak shows its login page. */
export async function everythingIsReady(): Promise<void> {
  const { bridge, proxy, keycloak, realm, metrics } = stack();
  for (const url of [`${bridge}/readyz`, new URL('/readyz', metrics.proxy).href, `${keycloak}/realms/${realm}`, `${proxy}/api/login`]) {
    await eventually(async () => {
      const page = await httpBrowser().get(url);
      if (page.status !== 200) throw new Error(wordsOf(page));
      return true;
    }, SETTLES_WITHIN_MS);
  }
}

/** Moves the domain clock past the moment from which an attempt without a user may be released, while `look` looks. */
export async function releaseIsDue(look: () => Promise<void>): Promise<void> {
  try {
    await moveClock(RELEASE_SECONDS);
    await look();
    await nothingDisagrees();
  } finally {
    await moveClock(0);
  }
}

/** What somebody does who has nothing but the mail: opens the link, fills in what is asked, signs in where the account exists by now. */
export async function openLink(link: string, address: string, browser: HttpBrowser = httpBrowser()): Promise<Visit> {
  let page = await browser.get(link);
  if (page.body.includes('id="trial-known"')) page = await browser.submit(page.form('trial-known'), { decision: 'sign-in' });
  if (page.body.includes('kc-register-form')) return submitForm(browser, page);
  if (page.body.includes('kc-form-login')) return browser.submit(page.form('kc-form-login'), { username: address, password: PASSWORD });
  return page;
}

export interface Ending {
  mails?: number;
  /** Jobs do not wait for their next try. */
  hurried?: boolean;
  /** Opens the link again and again for so long. */
  againForMilliseconds?: number;
}

function wordsOf({ url, status, body }: Visit): string {
  const words = body.replaceAll(/<(script|style|select)[\s\S]*?<\/\1>|<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
  return `${status} at ${url.split('?')[0]}: ${words}`;
}

/** How each case ends: signed in by the same link, with one account and one confirmed attempt of it, and the mails counted. */
export async function finishes(address: string, link: string, { mails = 1, hurried = false, againForMilliseconds = 0 }: Ending = {}): Promise<void> {
  const until = Date.now() + againForMilliseconds;
  let page = await openLink(link, address);
  while (!isSignedIn(page) && Date.now() < until) page = await openLink(link, address);
  expect(isSignedIn(page) || wordsOf(page)).toBe(true);
  const ids = await userIds(address);
  expect(ids).toHaveLength(1);
  await eventually(async () => {
    if (hurried) await hurry();
    const confirmed = (await attempts(address)).filter(({ state }) => state === 'confirmed');
    return confirmed.length === 1 && confirmed[0]?.user_id === ids[0];
  }, SETTLES_WITHIN_MS);
  expect(await mailsTo(address)).toBe(mails);
}

export async function nothingDisagrees(): Promise<void> {
  expect((await runDoctor('consistency')).findings).toEqual([]);
}

export async function endsWell(address: string, link: string, ending: Ending = {}): Promise<void> {
  await finishes(address, link, ending);
  await nothingDisagrees();
}
