import type { Message } from '../../../dev/inbox/message.ts';
import { inbox, moveClock, queryDatabase } from '../../support/stack.ts';

export async function mailsTo(address: string): Promise<number> {
  return (await inbox.messages()).filter((message) => message.to === address).length;
}

/** Of the newest mail. */
export async function linkOf(address: string): Promise<string> {
  return invitationIn(await inbox.waitForMail(address));
}

export function invitationIn(mail: Message): string {
  const link = mail.links.find((one) => one.includes('invitation_token='));
  if (link === undefined) throw new Error(`There is no invitation in the mail "${mail.subject}".`);
  return link;
}

/** Of the mails that the bridge means to send, oldest first. */
export async function mailStates(address: string): Promise<unknown[]> {
  return (await queryDatabase('select state from bridge.mail where address = $1 order by queued_at', [address])).map(({ state }) => state);
}

/** Jobs that wait for their next try run now. */
export function hurry(): Promise<void> {
  return moveClock(0);
}
