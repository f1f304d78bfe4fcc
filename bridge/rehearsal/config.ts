import { z } from 'zod';
import { baseUrl, readConfig } from '../../platform/config.ts';
import { canonicalAddress } from '../address/address.ts';
import { loadConfig } from '../config.ts';

const FIELDS = {
  REHEARSAL_ADDRESS: z.string().transform((written, context) => {
    const address = canonicalAddress(written);
    if (address !== undefined) return address;
    context.addIssue('must be an e-mail address of yours, such as operations@example.com');
    return z.NEVER;
  }),
  REHEARSAL_INBOX_URL: baseUrl.optional(),
};

/** The bridge's configuration, and what rehearsals alone ask for. */
export function loadRehearsalConfig(env: Readonly<Record<string, string | undefined>>) {
  const read = readConfig(FIELDS, env);
  return Object.freeze({
    ...loadConfig(env),
    /** Whose mailbox gets the mails. */
    mailbox: read.REHEARSAL_ADDRESS,
    /** Of the development inbox, where there is one: the link of the mail is followed, else one of the rehearsal's own. */
    inboxUrl: read.REHEARSAL_INBOX_URL,
  });
}

export type RehearsalConfig = ReturnType<typeof loadRehearsalConfig>;
