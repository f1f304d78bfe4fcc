import type { z } from 'zod';
import { epochSeconds } from '../../platform/clock.ts';
import type { AskedForMail } from './ask-for-mail.service.ts';
import type { LiveSession } from './billing-session.service.ts';
import type { BillingUser } from './billing-user.store.ts';
import type { DeactivatedUser, ListedUsers } from './billing-users.service.ts';
import type { Catalog } from './catalog.ts';
import type { CompletedLogin } from './complete-login.service.ts';
import type { OpenedConfirmation } from './open-confirmation.service.ts';
import type { OpenedLogin } from './open-login.service.ts';
import type { completeAnswer, confirmationAnswer, deactivateUserAnswer, mailAnswer, openAnswer, serverLoginAnswer, sessionReadAnswer, usersAnswer } from './pages.schemas.ts';
import { isHostProven, type Place } from './place.ts';
import type { OpenedServerLogin } from './server-login.service.ts';
import type { readBillingSession } from './billing-session.service.ts';
import type { Refusal } from './standing.ts';

/** What leaves the bridge for the pages. Instants of tokens and sessions are real ones. */
export function serverLoginToWire(opened: OpenedServerLogin, catalog: Catalog): z.input<typeof serverLoginAnswer> {
  return opened.result === 'refused' ? refusalToWire(opened, catalog) : { result: 'email_form', token: opened.token, place: placeToWire(opened.place) };
}

export function openedToWire(opened: OpenedLogin, catalog: Catalog): z.input<typeof openAnswer> {
  if (opened.result === 'refused') return refusalToWire(opened, catalog);
  const [place, expires_at] = [placeToWire(opened.place), epochSeconds(opened.expiresAt)];
  if (opened.result === 'email_form') return { result: 'email_form', place, email: opened.email, expires_at };
  const { replaces } = opened;
  return {
    result: 'confirm_login',
    place,
    email: opened.email,
    full_name: opened.fullName,
    terms: termsToWire(catalog, opened.mustAccept),
    first_login: opened.firstLogin,
    major_release_mails: opened.user?.majorReleaseMails ?? false,
    maintenance_release_mails: opened.user?.maintenanceReleaseMails ?? false,
    expires_at,
    ...(replaces === undefined ? {} : { replaces: { email: replaces.user.email, full_name: replaces.user.fullName, place: placeToWire(replaces.place) } }),
  };
}

export function mailToWire(asked: AskedForMail, catalog: Catalog): z.input<typeof mailAnswer> {
  return asked.result === 'refused' ? refusalToWire(asked, catalog) : { result: asked.result, email: asked.email, place: placeToWire(asked.place) };
}

export function confirmationToWire(opened: OpenedConfirmation, catalog: Catalog): z.input<typeof confirmationAnswer> {
  return opened.result === 'refused' ? refusalToWire(opened, catalog) : { result: 'proven', token: opened.token, kind: opened.place.realm === undefined ? 'server' : 'realm' };
}

export function completedToWire(completed: CompletedLogin, catalog: Catalog): z.input<typeof completeAnswer> {
  if (completed.result === 'refused') return refusalToWire(completed, catalog);
  if (completed.result === 'not_proven') return { result: 'not_proven' };
  if (completed.result === 'terms_needed') return { result: 'terms_needed', terms: termsToWire(catalog, true) };
  const place = placeToWire(completed.place);
  return {
    result: 'signed_in',
    session_id: completed.sessionId,
    user: personToWire(completed.user),
    place,
    ends_at: epochSeconds(completed.endsAt),
    next_page: completed.nextPage,
    next_path: `/${place.kind}/${place.uuid}/${completed.nextPage}/`,
  };
}

export function sessionToWire(read: Awaited<ReturnType<typeof readBillingSession>>, catalog: Catalog): z.input<typeof sessionReadAnswer> {
  if (read.result === 'refused') return refusalToWire(read, catalog);
  if (read.result === 'unknown') return { result: 'unknown' };
  return read.result === 'over' ? overToWire(read) : liveToWire(read);
}

function liveToWire({ user, place, session }: LiveSession) {
  return { result: 'live' as const, user: personToWire(user), place: placeToWire(place), ends_at: epochSeconds(session.endsAt) };
}

export function usersToWire(listed: ListedUsers, catalog: Catalog): z.input<typeof usersAnswer> {
  if (listed.result === 'refused') return refusalToWire(listed, catalog);
  if (listed.result === 'over') return overToWire(listed);
  const users = listed.users.map((user) => ({
    ...personToWire(user),
    state: user.state === 'deactivated' ? ('deactivated' as const) : ('confirmed' as const),
    date_joined: epochSeconds(user.dateJoined),
    last_login: user.lastLogin && epochSeconds(user.lastLogin),
    you: user.id === listed.you,
  }));
  return { result: 'users', users };
}

export function deactivatedUserToWire(done: DeactivatedUser, catalog: Catalog): z.input<typeof deactivateUserAnswer> {
  if (done.result === 'refused') return refusalToWire(done, catalog);
  return done.result === 'over' ? overToWire(done) : { result: done.result };
}

function refusalToWire({ reason, loginUrl }: Refusal, catalog: Catalog) {
  return { result: 'refused' as const, reason, ...(loginUrl === undefined ? {} : { login_url: loginUrl }), support_url: catalog.support_url };
}

function overToWire({ loginUrl }: { loginUrl: string | undefined }) {
  return { result: 'over' as const, ...(loginUrl === undefined ? {} : { login_url: loginUrl }) };
}

function termsToWire({ terms }: Catalog, mustAccept: boolean) {
  return { ...terms, must_accept: mustAccept };
}

function personToWire(user: BillingUser) {
  return { id: user.id, email: user.email, full_name: user.fullName };
}

function placeToWire({ server, realm }: Place) {
  const verified = isHostProven({ server, realm });
  if (realm === undefined) return { kind: 'server' as const, uuid: server.id, host: server.hostname, host_verified: verified, name: server.hostname, server_uuid: server.id };
  return { kind: 'realm' as const, uuid: realm.id, host: realm.host, host_verified: verified, name: realm.name, server_uuid: server.id };
}
