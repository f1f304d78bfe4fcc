import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { findProduct, type Products } from '../../platform/products.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { IsBlocked } from '../address/blocked-domains.ts';
import type { Db, MailKind, Trx } from '../db/schema.ts';
import type { Account, Accounts } from '../keycloak/accounts.ts';
import { readStamp } from '../keycloak/stamp.ts';
import { isErased } from '../life/erase.store.ts';
import { recordEvent } from '../life/event.store.ts';
import { findOpenLife, insertLife } from '../life/life.store.ts';
import { deleteSignUpRequest, findSignUpRequest, settleSignUpRequest, type SignUpRequest } from '../trial/sign-up-request.store.ts';
import { findLongestTrial, findTrialsByAddress, type Trial } from '../trial/trial.store.ts';
import { countMails, isSuppressed, lockMailbox } from './mail.store.ts';
import { putInOutbox } from './outbox.ts';

const DAY_MILLISECONDS = 86_400_000;
/** The kind of mail that was queued, or why none was. */
export type InvitationResult = MailKind | 'blocked' | 'suppressed' | 'limited' | 'erased' | 'not_offered';

/** `accountId`: an account that the mail offers the trial to. */
type Choice = { kind: MailKind; accountId?: string | undefined };

interface Using {
  products: Products;
  clock: Clock;
  hash: AddressHash;
  accounts: Accounts;
  isBlocked: IsBlocked;
  mailLimits: { perMailboxPerDay: number; secondsBetween: number };
  log: Log;
}

/** Decides what the owner of an address that was typed somewhere gets to read, if anything. */
export async function sendInvitation(db: Db, using: Using, signUpRequestId: string): Promise<InvitationResult | undefined> {
  const request = await findSignUpRequest(db, signUpRequestId);
  if (request === undefined || request.result !== null) return undefined;
  const choice = noMail(using, request) ?? (await chooseKind(db, using, request));
  return db.transaction().execute(async (trx) => {
    const now = using.clock.now();
    const mailboxHash = using.hash.mailbox(request.address);
    await lockMailbox(trx, mailboxHash);
    const result = typeof choice === 'string' ? choice : ((await refusal(trx, using.mailLimits, mailboxHash, now)) ?? choice.kind);
    // Under the mailbox's lock, which an erasure takes, too. What was forgotten leaves no new trace.
    if (await isErased(trx, request.product, using.hash.address(request.address))) return (await deleteSignUpRequest(trx, request.id)) ? 'erased' : undefined;
    if (!(await settleSignUpRequest(trx, request.id, result))) return undefined;
    if (typeof choice !== 'string' && result === choice.kind) await queueMail(trx, request, choice, mailboxHash, now);
    using.log.info({ sign_up_request_id: request.id, request_id: request.requestId, result }, 'sign-up request settled');
    return result;
  });
}

/** Whoever has the address. */
function noMail({ products, isBlocked }: Using, { product: id, address }: SignUpRequest): 'not_offered' | 'blocked' | undefined {
  const product = findProduct(products, id);
  if (product === undefined) return 'not_offered';
  return isBlocked(product, address) ? 'blocked' : undefined;
}

async function chooseKind(db: Db, using: Using, request: SignUpRequest): Promise<Choice> {
  const account = await using.accounts.findByAddress(request.address);
  // Known means: an account whose address is verified. A squatter's is not (SECURITY.md 5).
  const known = account?.emailVerified === true ? account : undefined;
  const own = known && (await findLongestTrial(db, known.id, [request.product]));
  const trials = own === undefined ? await trialsLeftBehind(db, using, request) : [own];
  const now = using.clock.now();
  if (trials.some((trial) => trial.trialAccessUntil !== null && trial.trialAccessUntil <= now)) return { kind: 'trial_ended' };
  if (known === undefined) return { kind: 'invitation' };
  return { kind: 'welcome_back', ...(own === undefined && !isStamped(known, request.product) && { accountId: known.id }) };
}

/** On trial by Keycloak's word, whether we know of it or not. */
function isStamped({ stamps }: Account, product: string): boolean {
  return stamps.flatMap(readStamp).some((stamp) => stamp.product === product);
}

// Trials of users who still are at this address, or are gone. One who was renamed took the trial along: the next owner
// of the address inherits nothing (SECURITY.md 3).
async function trialsLeftBehind(db: Db, using: Using, request: SignUpRequest): Promise<readonly Trial[]> {
  const trials = await findTrialsByAddress(db, request.product, request.address);
  const owners = await Promise.all(trials.map((trial) => using.accounts.findById(trial.userId)));
  return trials.filter((_trial, index) => isStillAt(owners[index], request.address));
}

function isStillAt(owner: Account | undefined, address: string): boolean {
  return owner === undefined || owner.username === address;
}

/** Why this mailbox gets no mail now. Under its lock, so that nobody else counts meanwhile. */
async function refusal(trx: Trx, limits: Using['mailLimits'], mailboxHash: Buffer, now: Date): Promise<'suppressed' | 'limited' | undefined> {
  if (await isSuppressed(trx, mailboxHash)) return 'suppressed';
  const { count, newest } = await countMails(trx, mailboxHash, new Date(now.getTime() - DAY_MILLISECONDS));
  const tooSoon = newest !== null && now.getTime() - newest.getTime() < limits.secondsBetween * 1000;
  return tooSoon || count >= limits.perMailboxPerDay ? 'limited' : undefined;
}

async function queueMail(trx: Trx, request: SignUpRequest, { kind, accountId }: Choice, mailboxHash: Buffer, queuedAt: Date): Promise<void> {
  await putInOutbox(trx, {
    signUpRequestId: request.id,
    lifeId: kind === 'invitation' || accountId !== undefined ? await inviteToLife(trx, request, kind, queuedAt) : null,
    accountId: accountId ?? null,
    kind,
    product: request.product,
    address: request.address,
    mailboxHash,
    locale: request.locale,
    queuedAt,
  });
}

/** An address that is invited again goes on with the life that it has. */
async function inviteToLife(trx: Trx, request: SignUpRequest, mail: MailKind, at: Date): Promise<string> {
  const open = await findOpenLife(trx, request);
  const lifeId = open ?? (await insertLife(trx, { ...request, beganAt: at }));
  if (open === undefined) await recordEvent(trx, { lifeId, at, kind: 'invited', to: 'invited', actor: 'person', requestId: request.requestId });
  await recordEvent(trx, { lifeId, at, kind: 'mail_queued', actor: 'person', requestId: request.requestId, detail: { mail } });
  return lifeId;
}
