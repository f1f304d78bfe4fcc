import { z } from 'zod';
import { newToken, hashToken } from '../../platform/token.ts';
import type { Product } from '../../platform/products.ts';
import { readStamp } from '../keycloak/stamp.ts';
import { listEvents } from '../life/event.store.ts';
import { insertInvitation } from '../trial/invitation.store.ts';
import { findNewestRequest, findSignUpRequest } from '../trial/sign-up-request.store.ts';
import { listUntold } from './rehearsal.store.ts';
import { letIn, openInvitation, register, sessionOf, signIn, where } from './visit.ts';
import { endsOf, lifeOf, mailIsSent, NotHeld, passTo, seconds, until, waitUntil, type Walk } from './walk.ts';

const DAY_MILLISECONDS = 86_400_000;
const LINK_LIVES_MILLISECONDS = 600_000;
/** Between an end that is moved near and the end itself: time for it to be heard everywhere. */
const AHEAD_SECONDS = 8;
const FLOWS = 'npm run doctor -- realm names what is missing in the flows.';

export interface Step {
  /** In words, as it is printed once it held. */
  says: string;
  take(walk: Walk): Promise<void>;
}

/** The whole life of a trial of this product. */
export function stepsOf(product: Product): readonly Step[] {
  const reminders = product.reminder_days.toSorted((one, other) => other - one);
  return [
    { says: 'asked for a trial', take: ask },
    { says: 'the invitation is with the mail server', take: isInvited },
    { says: 'the link leads to the form, with the address locked; a password makes the account', take: signUp },
    { says: 'Keycloak and the proxy hold the same end', take: isHeld },
    ...reminders.map((days, index) => ({ says: `${days} ${days === 1 ? 'day' : 'days'} before the end a reminder is sent`, take: (walk: Walk) => isReminded(walk, days, index + 1) })),
    ...(product.grace_days > 0 ? [{ says: `at the end grace begins: told by mail, still signed in, and let in by password`, take: hasGrace }] : []),
    { says: 'a second before the end of access: still signed in', take: isInJustBefore },
    { says: 'a second after it: refused by the proxy, by the cookie of the session, by password', take: isRefused },
    { says: 'told by mail; what was open in Keycloak is ended', take: isOver },
    ...(product.webhook === undefined ? [] : [{ says: 'the app has taken every event', take: isTold }]),
  ];
}

async function ask({ config, product, address }: Walk): Promise<void> {
  const answer = await fetch(`${config.proxyUrl}/api/trial/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: address, product: product.id, locale: 'en' }),
  });
  if (answer.status === 202) return;
  const { detail = 'no reason' } = z.object({ detail: z.string().optional() }).catch({}).parse(await answer.json().catch(() => ({})));
  if (answer.status === 422) throw new NotHeld(`register wants a captcha, which a program can't solve (${detail})`, 'Rehearse before the captcha is switched on, or on an installation like this one without.');
  throw new NotHeld(`register answered ${answer.status}: ${detail}`, 'See that the proxy reaches the bridge: /readyz of both.');
}

const NOT_INVITED: Readonly<Record<string, string>> = {
  blocked: 'The domain of REHEARSAL_ADDRESS is on the list of blocked domains of this product: choose another.',
  suppressed: 'The owner of REHEARSAL_ADDRESS pressed "this wasn\'t me": docs/operating.md says how a mailbox has mails again.',
  limited: 'That mailbox had too many mails: wait, or raise MAIL_LIMIT_PER_MAILBOX_PER_DAY and MAIL_LIMIT_SECONDS_BETWEEN.',
};

async function isInvited(walk: Walk): Promise<void> {
  const { db, product, address } = walk;
  const result = await until(
    walk,
    30,
    async () => (await findSignUpRequest(db, (await findNewestRequest(db, { product: product.id, address })) ?? ''))?.result ?? undefined,
    () => new NotHeld('nobody took the job that decides what to send', 'See that the bridge runs, that /readyz shows its worker up, and that Keycloak answers it.'),
  );
  if (result !== 'invitation') throw new NotHeld(`no invitation, but "${result}"`, NOT_INVITED[result] ?? 'npm run doctor -- consistency.');
  await mailIsSent(walk, 'invitation');
}

async function signUp(walk: Walk): Promise<void> {
  const { db, config, visitor, address, lifeId } = walk;
  const form = await openInvitation(visitor, await linkOf(walk), address).catch((error: unknown) => {
    throw new NotHeld(inWords(error), FLOWS);
  });
  const page = await register(visitor, form);
  if (!(await sessionOf(config.proxyUrl, visitor)).authenticated) throw new NotHeld(`nobody is signed in after the form, which led to ${where(page)}`, `${FLOWS} The bridge's and Keycloak's logs name the refusal.`);
  await until(walk, 20, async () => ((await listEvents(db, lifeId)).some(({ kind }) => kind === 'confirmed') ? true : undefined), () => new NotHeld('the account was not confirmed', 'Keycloak must reach the bridge with its outcome, and the bridge may view users: npm run doctor.'));
}

/** Of the mail, where its inbox can be read; else one of the rehearsal's own: Postgres holds hashes only. */
async function linkOf(walk: Walk): Promise<string> {
  const { config, db, product, address, lifeId, clock, links } = walk;
  if (config.inboxUrl !== undefined) return mailedLink(walk, config.inboxUrl);
  const token = newToken();
  const issuedAt = clock.now();
  await insertInvitation(db, { tokenHash: hashToken(token), product: product.id, address, mailId: null, lifeId, accountId: null, firstName: null, lastName: null, locale: 'en', issuedAt, expiresAt: new Date(issuedAt.getTime() + LINK_LIVES_MILLISECONDS) });
  return links('en').invitation(token);
}

const inbox = z.array(z.object({ to: z.string(), links: z.array(z.string()) }));

async function mailedLink(walk: Walk, inboxUrl: string): Promise<string> {
  return until(
    walk,
    10,
    async () => {
      const mails = inbox.parse(await (await fetch(`${inboxUrl}/api/messages`)).json());
      return mails.filter(({ to }) => to === walk.address).flatMap(({ links }) => links).find((link) => link.includes('invitation_token='));
    },
    () => new NotHeld('the mail did not come to the inbox', 'See what REHEARSAL_INBOX_URL names, and unset it where there is no such inbox.'),
  );
}

async function isHeld(walk: Walk): Promise<void> {
  const { accounts, clock, config, product, visitor } = walk;
  const { userId } = await lifeOf(walk);
  const accessUntil = seconds((await endsOf(walk)).accessUntil, clock);
  const stamps = (await accounts.findById(userId ?? ''))?.stamps.flatMap(readStamp) ?? [];
  const stamp = stamps.find((one) => one.product === product.id);
  if (stamp?.trial_access_until !== accessUntil) throw new NotHeld(stamp === undefined ? 'the account has no stamp of the trial' : 'the stamp of the account says another end', 'npm run doctor -- step-settings, user-profile and consistency.');
  await proxyHolds(walk, accessUntil);
  const { trial } = await sessionOf(config.proxyUrl, visitor);
  if (trial === null) throw new NotHeld('the proxy does not know that this is a trial', 'npm run doctor -- trial-claims.');
}

async function proxyHolds(walk: Walk, accessUntil: number): Promise<void> {
  const { config, visitor } = walk;
  await until(
    walk,
    AHEAD_SECONDS - 3,
    async () => ((await sessionOf(config.proxyUrl, visitor)).trial?.access_until === accessUntil ? true : undefined),
    () => new NotHeld('the proxy does not hear of changed ends', 'vestibule_proxy_trial_feed_connected says whether it hears the bridge; /readyz of the proxy names the feed.'),
  );
}

async function isReminded(walk: Walk, days: number, count: number): Promise<void> {
  const { endsAt } = await endsOf(walk);
  await passTo(walk, new Date(endsAt.getTime() - days * DAY_MILLISECONDS));
  await mailIsSent(walk, 'trial_reminder', count);
  await isIn(walk, 'ending');
}

async function hasGrace(walk: Walk): Promise<void> {
  const { config, visitor, address } = walk;
  await passTo(walk, (await endsOf(walk)).endsAt);
  await mailIsSent(walk, 'trial_grace');
  await isIn(walk, 'grace');
  if (!(await sessionOf(config.proxyUrl, visitor)).authenticated) throw new NotHeld('the session at the proxy ended with the trial, before its grace', 'npm run doctor -- clock.');
  const { page } = await signIn(config.proxyUrl, visitor, address);
  if (!letIn(config.proxyUrl, page)) throw new NotHeld(`the password was refused, at ${where(page)}`, FLOWS);
}

async function isIn(walk: Walk, state: string): Promise<void> {
  await until(walk, 15, async () => ((await lifeOf(walk)).state === state ? true : undefined), async () => new NotHeld(`the trial is ${(await lifeOf(walk)).state}, not ${state}`, 'See that the bridge runs and that its /readyz shows its worker up.'));
}

async function isInJustBefore(walk: Walk): Promise<void> {
  const { config, clock, visitor } = walk;
  await passTo(walk, new Date((await endsOf(walk)).accessUntil.getTime() - AHEAD_SECONDS * 1000));
  const end = seconds((await endsOf(walk)).accessUntil, clock);
  await proxyHolds(walk, end);
  await waitUntil(walk, end - 1);
  const { authenticated } = await sessionOf(config.proxyUrl, visitor);
  if (!authenticated && Date.now() < end * 1000) throw new NotHeld('the session ended before the trial', 'npm run doctor -- clock: clocks that differ end sessions early.');
}

async function isRefused(walk: Walk): Promise<void> {
  const { config, clock, visitor, address } = walk;
  await waitUntil(walk, seconds((await endsOf(walk)).accessUntil, clock) + 1);
  const [session, again, password] = await Promise.all([sessionOf(config.proxyUrl, visitor), visitor.browser.get(`${config.proxyUrl}/api/login`), signIn(config.proxyUrl, visitor, address)]);
  const ways = [
    ...(session.authenticated ? ['the session at the proxy'] : []),
    ...(letIn(config.proxyUrl, again) ? ['the cookie of the session in Keycloak'] : []),
    ...(letIn(config.proxyUrl, password.page) ? ['the password'] : []),
  ];
  if (ways.length > 0) throw new NotHeld(`still let in by ${ways.join(' and ')}`, FLOWS);
}

async function isOver(walk: Walk): Promise<void> {
  await isIn(walk, 'expired');
  await mailIsSent(walk, 'trial_over');
  await until(
    walk,
    20,
    async () => {
      const { keptVersion, version } = await lifeOf(walk);
      return keptVersion >= version ? true : undefined;
    },
    () => new NotHeld('Keycloak does not hold that the trial is over', 'Sign-ins are refused by the bridge meanwhile. npm run doctor says what keeps the bridge from telling Keycloak.'),
  );
}

async function isTold({ db, lifeId, stopping }: Walk): Promise<void> {
  const advice = 'npm run doctor -- webhooks, and npm run webhooks -- list.';
  await until(
    { stopping },
    20,
    async () => {
      const untold = await listUntold(db, lifeId);
      const dead = untold.find(({ delivery }) => delivery === 'dead');
      if (dead !== undefined) throw new NotHeld(`the app did not take an event: ${dead.failure}`, advice);
      return untold.length === 0 ? true : undefined;
    },
    async () => new NotHeld(`the app has not taken every event: ${(await listUntold(db, lifeId))[0]?.failure ?? 'they are on their way'}`, advice),
  );
}

function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
