import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { parseMessage, type Message } from './message.ts';
import { inboxRoutes } from './routes.ts';

const MESSAGES_KEPT = 1000;
const LARGEST_MESSAGE_BYTES = 10 * 1024 * 1024;

export interface InboxOptions {
  host: string;
  smtpPort: number;
  /** Without it there is no page. */
  httpPort?: number;
  /** The SMTP code by which a recipient is refused; all others are taken. */
  refuseRecipient?: ((address: string) => number | undefined) | undefined;
}

export interface Inbox {
  smtpPort: number;
  httpPort: number | undefined;
  /** Newest first. */
  messages(): readonly Message[];
  clear(): void;
  close(): Promise<void>;
}

/** Takes every mail that is sent to it, without TLS or sign-in, and delivers none. */
export async function openInbox(options: InboxOptions): Promise<Inbox> {
  let messages: Message[] = [];
  const box = {
    messages: () => messages,
    clear: () => {
      messages = [];
    },
  };
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    size: LARGEST_MESSAGE_BYTES,
    disableReverseLookup: true,
    onRcptTo: ({ address }, _session, done) => {
      const responseCode = options.refuseRecipient?.(address);
      done(responseCode === undefined ? null : Object.assign(new Error('Not for this recipient'), { responseCode }));
    },
    onData: (stream, session, done) => {
      const { mailFrom, rcptTo } = session.envelope;
      const envelope = { from: mailFrom ? mailFrom.address : '', to: rcptTo.map((one) => one.address) };
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('end', async () => {
        try {
          const message = await parseMessage(Buffer.concat(chunks), envelope);
          messages = [message, ...messages].slice(0, MESSAGES_KEPT);
          done();
        } catch (error) {
          done(error as Error);
        }
      });
    },
  });
  // A client that hangs up half-way is no reason for the stack to end.
  smtp.on('error', () => {});
  smtp.listen(options.smtpPort, options.host);
  await once(smtp.server, 'listening');
  const http = options.httpPort === undefined ? undefined : inboxRoutes(box, options.host).listen(options.httpPort, options.host);
  if (http) await once(http, 'listening');
  return {
    ...box,
    smtpPort: portOf(smtp.server.address()),
    httpPort: http ? portOf(http.address()) : undefined,
    close: async () => {
      await new Promise<void>((resolve) => {
        smtp.close(() => resolve());
      });
      if (!http) return;
      http.closeAllConnections();
      await new Promise((resolve) => {
        http.close(resolve);
      });
    },
  };
}

function portOf(address: string | AddressInfo | null): number {
  return (address as AddressInfo).port;
}
