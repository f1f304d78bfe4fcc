import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import { hashToken, newToken } from '../../platform/token.ts';
import type { Db, MailKind } from '../db/schema.ts';
import { recordEvent } from '../life/event.store.ts';
import type { LifeState } from '../life/transitions.ts';
import { deleteInvitation, insertInvitation } from '../trial/invitation.store.ts';
import type { Meter } from '../metrics/meter.ts';
import { landingOf, type LinksIn } from './links.ts';
import { deleteNotMe, findMail, insertNotMe, isSuppressed, markFailed, markSent, type Mail } from './mail.store.ts';
import type { RenderMail } from './render.ts';
import { deliver } from './deliver.ts';
import type { Transport } from './transport.ts';

const MILLISECONDS_PER_DAY = 86_400_000;

interface Using {
  products: Products;
  clock: Clock;
  links: LinksIn;
  render: RenderMail;
  transport: Transport;
  invitationLifetimeDays: number;
  meter: Pick<Meter, 'mail'>;
  log: Log;
}

/**
 * Sends a queued mail once. Its tokens are made right before, stored as hashes, and taken back when the mail server refuses
 * the mail. A crash between sending and marking, or an answer that is lost, may send it twice, with another token; never zero times.
 */
export async function sendMail(db: Db, using: Using, mailId: string, lastTry: boolean): Promise<void> {
  const mail = await findMail(db, mailId);
  if (mail === undefined || mail.state !== 'queued') return;
  const needless = (await isSuppressed(db, mail.mailboxHash)) ? 'suppressed' : isOvertaken(mail) ? 'overtaken' : undefined;
  const product = findProduct(using.products, mail.product);
  if (needless !== undefined || product === undefined) return giveUp(db, using, mail, needless ?? 'not_offered');
  const notMeToken = newToken();
  await insertNotMe(db, hashToken(notMeToken), mail);
  const invitation = mail.kind === 'invitation' || isOffer(mail) ? await issueInvitation(db, using, mail) : undefined;
  const message = compose(using, product, mail, notMeToken, invitation);
  const failure = await deliver(using, mail, message, lastTry, async () => {
    await deleteNotMe(db, hashToken(notMeToken));
    if (invitation !== undefined) await deleteInvitation(db, hashToken(invitation.token));
  });
  await settle(db, mail, failure, using.clock.now());
}

async function giveUp(db: Db, using: Using, mail: Mail, why: 'suppressed' | 'overtaken' | 'not_offered'): Promise<void> {
  using.meter.mail(mail.kind, why);
  using.log.info({ mail_id: mail.id, kind: mail.kind, request_id: mail.requestId, product: mail.product, why }, 'mail not sent');
  await settle(db, mail, why, using.clock.now());
}

async function settle(db: Db, mail: Mail, failure: string | undefined, at: Date): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await (failure === undefined ? markSent(trx, mail.id, at) : markFailed(trx, mail.id, failure));
    if (mail.lifeId === null) return;
    const detail = { mail: mail.kind, ...(failure === undefined ? {} : { failure }) };
    await recordEvent(trx, { lifeId: mail.lifeId, at, kind: failure === undefined ? 'mail_sent' : 'mail_failed', actor: 'bridge', requestId: mail.requestId ?? undefined, detail });
  });
}

/** What mails about a trial are true of. One that waited until the trial went on says what is not so any more. */
const TRUE_IN: Partial<Record<MailKind, readonly LifeState[]>> = {
  // A full account may still be to come.
  invitation: ['invited', 'active', 'ending', 'converted'],
  trial_reminder: ['ending'],
  trial_grace: ['grace'],
  trial_over: ['expired'],
  trial_extended: ['active', 'ending'],
  trial_converted: ['converted'],
};

function isOvertaken({ kind, life }: Mail): boolean {
  const states = TRUE_IN[kind];
  // Invitations from before lives were kept have none.
  if (life === null) return states !== undefined && kind !== 'invitation';
  return states !== undefined && !states.includes(life.state);
}

/** One who has begun the trial meanwhile is only welcomed. */
function isOffer({ accountId, life }: Mail): boolean {
  return accountId !== null && life !== null && life.userId !== accountId && TRUE_IN.invitation?.includes(life.state) === true;
}

/** The instant that a mail names. */
function instantOf({ kind, life }: Mail): Date | undefined {
  return (kind === 'trial_grace' || kind === 'trial_over' ? life?.trialAccessUntil : life?.trialEndsAt) ?? undefined;
}

async function issueInvitation(db: Db, using: Using, mail: Mail): Promise<{ token: string; expiresAt: Date }> {
  const token = newToken();
  const issuedAt = using.clock.now();
  const expiresAt = new Date(issuedAt.getTime() + using.invitationLifetimeDays * MILLISECONDS_PER_DAY);
  await insertInvitation(db, {
    tokenHash: hashToken(token),
    product: mail.product,
    address: mail.address,
    mailId: mail.id,
    lifeId: mail.lifeId,
    accountId: mail.accountId,
    firstName: mail.firstName,
    lastName: mail.lastName,
    locale: mail.locale,
    issuedAt,
    expiresAt,
  });
  return { token, expiresAt };
}

function compose(using: Using, product: Product, mail: Mail, notMeToken: string, invitation: { token: string; expiresAt: Date } | undefined) {
  const landing = landingOf(using.products, product, mail.nextPage);
  const links = using.links(mail.locale, landing);
  const { from, subject, html, text } = using.render(product, mail.locale, mail.kind, {
    address: mail.address,
    signUpUrl: invitation === undefined || isOffer(mail) ? '' : links.invitation(invitation.token),
    joinUrl: invitation !== undefined && isOffer(mail) ? links.join(invitation.token) : undefined,
    expiresAt: invitation?.expiresAt ?? instantOf(mail),
    notMeUrl: links.notMe(notMeToken),
    landing,
  });
  return { id: mail.id, from, to: mail.address, subject, html, text };
}
