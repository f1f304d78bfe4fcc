import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Db } from '../db/schema.ts';
import type { Account } from '../keycloak/accounts.ts';
import { readStamp, type Stamp } from '../keycloak/stamp.ts';
import { listErasuresUnderWay } from '../life/erase.store.ts';
import { sameClients } from '../life/product-clients.service.ts';
import { listClients } from '../life/product-clients.store.ts';
import { RELEASE_AFTER_MINUTES } from '../trial/reconcile.service.ts';
import {
  listForeignPermissions,
  listNotTold,
  listOrphanedReservations,
  listRegistrations,
  listTrials,
  type RegistrationRow,
  type TrialRow,
} from './consistency.store.ts';
import type { Finding } from './finding.ts';
import { lifeFindings } from './lives.ts';

/** Keycloak may be away for a moment. */
const ERASED_AFTER_MINUTES = 10;

export interface KeycloakUsers {
  /** Members of the group that every stamped user is put into. */
  listStamped(): Promise<readonly Account[]>;
  findById(userId: string): Promise<Account | undefined>;
}

interface Seen {
  now: Date;
  registrations: readonly RegistrationRow[];
  trials: readonly TrialRow[];
  /** Every user that either side names, by id. */
  users: ReadonlyMap<string, Account>;
  stamps: ReadonlyMap<string, readonly Stamp[]>;
  /** Of each product, sorted, as the bridge that was started last has them. */
  clients: ReadonlyMap<string, readonly string[]>;
  clock: Clock;
  movedClock: boolean;
}

/** Every disagreement between Postgres and Keycloak. A pending attempt is none before the reconcile job may release it. */
export async function findDisagreements(
  db: Db,
  keycloak: KeycloakUsers,
  clock: Clock,
  options: { movedClock: boolean },
): Promise<readonly Finding[]> {
  // Keycloak first: what is created meanwhile is then in Postgres, and too young to be a disagreement.
  const stamped = await keycloak.listStamped();
  const [registrations, trials, notTold, clients] = await Promise.all([listRegistrations(db), listTrials(db), listNotTold(db), listClients(db)]);
  const users = await usersOf(keycloak, stamped, registrations);
  const stamps = new Map([...users].map(([id, user]) => [id, user.stamps.flatMap(readStamp)]));
  const seen: Seen = { now: clock.now(), registrations, trials, clients, users, stamps, clock, ...options };
  return [
    ...attemptFindings(seen),
    ...stampFindings(seen),
    ...lifeFindings(trials, new Set([...notTold].filter((id) => isStamped(seen, id))), seen.now, options),
    ...doubleFindings(seen),
    ...(await leftOverFindings(db)),
    ...(await erasureFindings(db, seen.now)),
  ];
}

async function usersOf(
  keycloak: KeycloakUsers,
  stamped: readonly Account[],
  registrations: readonly RegistrationRow[],
): Promise<ReadonlyMap<string, Account>> {
  const users = new Map(stamped.map((user) => [user.id, user]));
  for (const userId of new Set(registrations.flatMap((one) => one.userId ?? []))) {
    const user = users.get(userId) ?? (await keycloak.findById(userId));
    if (user !== undefined) users.set(userId, user);
  }
  return users;
}

function attemptFindings(seen: Seen): readonly Finding[] {
  return seen.registrations.flatMap((one) => {
    const user = userOf(seen, one);
    const subject = `attempt ${one.attemptId} (user ${user?.id ?? one.userId ?? 'unknown'}, product ${one.product})`;
    if (one.state === 'pending') return isOld(one, seen.now) ? [pendingTooLong(subject, user)] : [];
    if (one.state === 'confirmed') return confirmedFindings(subject, one, user);
    return user !== undefined && !hasTrial(seen, { userId: user.id, product: one.product }) ? [givenUp(subject, one)] : [];
  });
}

/** Until the attempt is confirmed, an account that a program asked for is known by its stamp, and so is one that was there before. */
function userOf(seen: Seen, one: RegistrationRow): Account | undefined {
  if (one.userId !== null && (!one.joins || one.state === 'confirmed')) return seen.users.get(one.userId);
  const [userId] = [...seen.stamps].find(([, stamps]) => stamps.some((stamp) => stamp.trial_app === one.trialAppId)) ?? [];
  return userId === undefined ? undefined : seen.users.get(userId);
}

function isOld(one: RegistrationRow, now: Date): boolean {
  return now.getTime() - one.attemptedAt.getTime() > RELEASE_AFTER_MINUTES * 60_000;
}

function hasTrial(seen: Seen, of: { userId: string; product: string }): boolean {
  return seen.trials.some((trial) => trial.userId === of.userId && trial.product === of.product);
}

function pendingTooLong(subject: string, user: Account | undefined): Finding {
  return {
    check: 'pending-too-long',
    subject,
    detail: `is pending for more than ${RELEASE_AFTER_MINUTES} minutes, and its user ${user === undefined ? 'does not exist' : 'exists'}`,
    advice: 'The reconcile job settles it: see that the bridge runs, that /readyz shows its worker up and that Keycloak lets its service account view users.',
  };
}

function confirmedFindings(subject: string, one: RegistrationRow, user: Account | undefined): readonly Finding[] {
  const findings: Finding[] = [];
  if (user === undefined) {
    findings.push({
      check: 'confirmed-without-user',
      subject,
      detail: 'is confirmed, and Keycloak has no such user',
      advice: 'Somebody deleted the user in Keycloak. If that was meant, erase the trial as well; if not, restore the user from a backup.',
    });
  }
  if (!one.hasTrial || !one.hasApp) {
    findings.push({
      check: 'confirmed-without-trial',
      subject,
      detail: one.hasTrial ? 'has no small app' : 'is confirmed and has no trial',
      advice: 'Restore the rows from a backup; the bridge never deletes them from a confirmed attempt.',
    });
  }
  return findings;
}

function givenUp(subject: string, one: RegistrationRow): Finding {
  return {
    check: 'given-up-with-user',
    subject,
    detail: `is ${one.state}, and its user exists without a trial`,
    advice: 'The next sign-in of that user has it provisioned again; or run the reconcile job for the attempt.',
  };
}

function stampFindings(seen: Seen): readonly Finding[] {
  const missing = seen.trials.flatMap((trial) => {
    const user = seen.users.get(trial.userId);
    const stamped = seen.stamps.get(trial.userId)?.some((stamp) => stamp.product === trial.product);
    return user === undefined || stamped ? [] : [missingStamp(trial)];
  });
  const wrong = [...seen.stamps].flatMap(([userId, stamps]) => stamps.flatMap((stamp) => wrongStamp(seen, userId, stamp)));
  return [...missing, ...wrong];
}

function missingStamp(trial: TrialRow): Finding {
  return {
    check: 'trial-without-stamp',
    subject: `user ${trial.userId}`,
    detail: `has a trial of ${trial.product} and no stamp of it: Keycloak does not know its end`,
    advice: 'Disable the user until the stamp is restored: without it the trial never ends there.',
  };
}

function wrongStamp(seen: Seen, userId: string, stamp: Stamp): readonly Finding[] {
  const subject = `user ${userId}`;
  const trial = seen.trials.find((one) => one.userId === userId && one.product === stamp.product);
  if (trial === undefined) {
    // Told already, with what to do, where the attempt is known.
    if (seen.registrations.some((one) => userOf(seen, one)?.id === userId && one.product === stamp.product)) return [];
    return [
      {
        check: 'stamp-without-trial',
        subject,
        detail: `is stamped with a trial of ${stamp.product} that the bridge does not know`,
        advice: 'Keycloak judges this user by the stamp. Restore the rows of the bridge from a backup, or remove the stamp.',
      },
    ];
  }
  // Still to be told, or said to be never told: by the life.
  if (trial.keptVersion < trial.version) return [];
  const differing = differences(seen, trial, stamp);
  if (differing.length === 0) return [];
  return [
    {
      check: 'stamp-differs',
      subject,
      detail: `has a stamp of ${stamp.product} that differs from the trial in ${differing.join(', ')}`,
      advice: 'Somebody changed the attribute trial_stamp, or the rows were restored from an older backup. The end in Postgres is the one that people were told.',
    },
  ];
}

function differences(seen: Seen, trial: TrialRow, stamp: Stamp): readonly string[] {
  const endsAt = inSeconds(seen, trial.trialEndsAt);
  const accessUntil = inSeconds(seen, trial.trialAccessUntil);
  // A clock that was moved since the stamping shifts both instants alike.
  const shift = seen.movedClock && stamp.trial_ends_at !== null && endsAt !== null ? stamp.trial_ends_at - endsAt : 0;
  return [
    stamp.trial_ends_at === (endsAt && endsAt + shift) ? '' : 'trial_ends_at',
    stamp.trial_access_until === (accessUntil && accessUntil + shift) ? '' : 'trial_access_until',
    stamp.trial_app === trial.trialAppId ? '' : 'trial_app',
    hasClients(stamp, seen.clients.get(trial.product)) ? '' : 'clients',
  ].filter(Boolean);
}

function hasClients({ clients }: Stamp, wanted: readonly string[] | undefined): boolean {
  return wanted === undefined || sameClients(wanted, clients);
}

/** Without a stamp or a user, that is what is told. */
function isStamped(seen: Seen, lifeId: string): boolean {
  const trial = seen.trials.find(({ life }) => life?.id === lifeId);
  return trial !== undefined && seen.stamps.get(trial.userId)?.some(({ product }) => product === trial.product) === true;
}

function inSeconds(seen: Seen, instant: Date | null): number | null {
  return instant && epochSeconds(seen.clock.toReal(instant));
}

function doubleFindings(seen: Seen): readonly Finding[] {
  const stampedTwice = [...seen.stamps].flatMap(([userId, stamps]) => {
    const products = stamps.map((stamp) => stamp.product);
    return products.length === new Set(products).size ? [] : [double(`user ${userId}`, 'is stamped twice with one product')];
  });
  const confirmed = seen.registrations.filter((one) => one.state === 'confirmed' && userOf(seen, one)?.username === one.address);
  const byRegistrant = Map.groupBy(confirmed, (one) => `${one.product} ${one.address}`);
  const registeredTwice = [...byRegistrant.values()]
    .filter((all) => all.length > 1)
    .map((all) => double(`users ${all.map((one) => one.userId).join(', ')}`, `have one address and a trial of ${all[0]?.product} each`));
  return [...stampedTwice, ...registeredTwice];
}

function double(subject: string, detail: string): Finding {
  return { check: 'two-trials', subject, detail, advice: 'Keep the one that the person uses and erase the other.' };
}

async function leftOverFindings(db: Db): Promise<readonly Finding[]> {
  const [reservations, permissions] = await Promise.all([listOrphanedReservations(db), listForeignPermissions(db)]);
  return [
    ...reservations.map(({ id, attemptId }) => ({
      check: 'reserved-without-attempt',
      subject: `invitation ${id}`,
      detail: `is reserved for attempt ${attemptId}, which is not pending`,
      advice: `Make it good again: update bridge.invitation set state = 'issued', attempt_id = null where id = '${id}'.`,
    })),
    ...permissions.map(({ trialAppId, userId }) => ({
      check: 'foreign-permission',
      subject: `small app ${trialAppId}`,
      detail: `has permissions of user ${userId}, whose trial it is not`,
      advice: 'Delete these rows of bridge.trial_app_permission.',
    })),
  ];
}

async function erasureFindings(db: Db, now: Date): Promise<readonly Finding[]> {
  const left = await listErasuresUnderWay(db, new Date(now.getTime() - ERASED_AFTER_MINUTES * 60_000));
  return left.map(({ id, userId, askedAt }) => ({
    check: 'erasure-not-done',
    subject: `trial ${id} (user ${userId ?? 'none'})`,
    detail: `is to be erased since ${askedAt.toISOString()}, and is still known here`,
    advice: "The job erase_life goes on where it stood: see that the bridge runs and that Keycloak lets it keep trials; or ask for the erasure again, which tries at once.",
  }));
}
