import { randomBytes } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { hashToken, newToken } from '../../platform/token.ts';
import type { Db } from '../db/schema.ts';
import { deliver } from '../mail/deliver.ts';
import type { LinksIn } from '../mail/links.ts';
import { isSuppressed } from '../mail/mail.store.ts';
import type { RenderMail } from '../mail/render.ts';
import type { Transport } from '../mail/transport.ts';
import type { Meter } from '../metrics/meter.ts';
import { deleteMailTokens, findQueuedBillingMail, insertMailToken, markBillingMail, type BillingMail } from './billing-mail.store.ts';
import type { Catalog } from './catalog.ts';
import { findLoginRequest, type LoginRequest } from './login-request.store.ts';

const LINK_MILLISECONDS = 24 * 3_600_000;
const KEY_BYTES = 15;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

interface Using {
  clock: Clock;
  catalog: Catalog;
  billingUrl: string;
  links: LinksIn;
  render: RenderMail;
  transport: Transport;
  meter: Pick<Meter, 'mail'>;
  log: Log;
}

/** Sends a queued billing mail once, as trial mails are sent (docs/decisions/0006): its tokens are made right before. */
export async function sendBillingMail(db: Db, using: Using, mailId: string, lastTry: boolean): Promise<void> {
  const mail = await findQueuedBillingMail(db, mailId);
  if (mail === undefined) return;
  const request = mail.loginRequestId === null ? undefined : await findLoginRequest(db, mail.loginRequestId);
  if (request?.revoked || (await isSuppressed(db, mail.mailboxHash))) {
    using.meter.mail(mail.kind, 'suppressed');
    return markBillingMail(db, mail.id, { state: 'failed', failure: 'suppressed' });
  }
  const [notMeToken, key] = [newToken(), newConfirmationKey()];
  const expiresAt = new Date(using.clock.now().getTime() + LINK_MILLISECONDS);
  await insertMailToken(db, { tokenHash: hashToken(notMeToken), mailId: mail.id, purpose: 'not_me', expiresAt: null });
  if (request !== undefined) await insertMailToken(db, { tokenHash: hashToken(key), mailId: mail.id, purpose: 'confirmation', expiresAt });
  const message = compose(using, mail, { notMeToken, linkUrl: request && linkTo(using.billingUrl, request, key, mail.locale), expiresAt });
  const failure = await deliver(using, mail, message, lastTry, () => deleteMailTokens(db, [hashToken(notMeToken), hashToken(key)]));
  await markBillingMail(db, mail.id, failure === undefined ? { state: 'sent', at: using.clock.now() } : { state: 'failed', failure });
}

function linkTo(billingUrl: string, request: LoginRequest, key: string, locale: string): string {
  return `${billingUrl}/${request.realmId === null ? 'serverlogin' : 'remote-billing-login'}/do_confirm/${key}?lang=${locale}`;
}

function compose(using: Using, mail: BillingMail, given: { notMeToken: string; linkUrl: string | undefined; expiresAt: Date }) {
  const { from, subject, html, text } = using.render(using.catalog, mail.locale, mail.kind, {
    address: mail.address,
    signUpUrl: '',
    expiresAt: given.expiresAt,
    notMeUrl: using.links(mail.locale).notMe(given.notMeToken),
    landing: undefined,
    details: { ...mail.content, linkUrl: given.linkUrl, supportUrl: using.catalog.support_url },
  });
  return { id: mail.id, from, to: mail.address, subject, html, text };
}

/** 120 random bits in base32, as Zulip's. */
function newConfirmationKey(): string {
  const bits = [...randomBytes(KEY_BYTES)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join('');
}
