import { openInbox } from '../../dev/inbox/inbox.ts';
import type { Message } from '../../dev/inbox/message.ts';
import { eventually } from './eventually.ts';

export type { Message };

export interface TestInbox {
  smtpUrl: string;
  /** Newest first. */
  messages(): readonly Message[];
  /** The newest mail that fits, as soon as there is one. */
  waitFor(fits: (message: Message) => boolean): Promise<Message>;
  close(): Promise<void>;
}

/** A real SMTP server on a free port, for one test. */
export async function startInbox(): Promise<TestInbox> {
  const inbox = await openInbox({ host: '127.0.0.1', smtpPort: 0 });
  return {
    smtpUrl: `smtp://127.0.0.1:${inbox.smtpPort}`,
    messages: inbox.messages,
    waitFor: (fits) => eventually(() => inbox.messages().find(fits)),
    close: inbox.close,
  };
}
