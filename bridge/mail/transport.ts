import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { Secret } from '../../platform/secret.ts';

/** Each answer of the mail server. */
const TIME_LIMIT_MILLISECONDS = 15_000;
/** All of its answers to one mail. Then the connection is cut: a server that drips must not keep a worker. */
const LONGEST_TRY_SECONDS = 30;
const CONNECTIONS = 4;

export interface Message {
  /** Of the mail row: the Message-ID is made from it, so that a mail sent twice is recognised. */
  id: string;
  from: string;
  to: string;
  subject: string;
  html: string;
  text: string;
}

export interface Transport {
  send(message: Message): Promise<void>;
  /** Resolves when the mail server greets. */
  check(): Promise<unknown>;
  close(): void;
}

export function smtpTransport(url: Secret, publicUrl: string, longestTrySeconds = LONGEST_TRY_SECONDS): Transport {
  const smtp = createTransport({
    url: url.reveal(),
    pool: true,
    maxConnections: CONNECTIONS,
    connectionTimeout: TIME_LIMIT_MILLISECONDS,
    greetingTimeout: TIME_LIMIT_MILLISECONDS,
    socketTimeout: TIME_LIMIT_MILLISECONDS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = new URL(publicUrl).hostname;
  return {
    send: async ({ id, from, to, subject, html, text }) => {
      await smtp.sendMail({
        messageId: `<${createHash('sha256').update(id).digest('base64url')}@${domain}>`,
        from,
        // As an object: the stored bytes are the recipient, nothing is parsed out of them (CVE-2025-13033).
        to: { name: '', address: to },
        subject,
        html,
        text,
        signal: AbortSignal.timeout(longestTrySeconds * 1000),
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
      });
    },
    check: () => smtp.verify(),
    close: () => smtp.close(),
  };
}

/** The server itself said that it does not take the mail, now or ever. */
export function isRefused(error: unknown): boolean {
  return typeof (error as { responseCode?: unknown }).responseCode === 'number';
}

/** A 5xx about this recipient or message. Refused logins are the operator's to mend, and tried again. */
export function isRefusedForGood(error: unknown): boolean {
  const { responseCode, code } = error as { responseCode?: unknown; code?: unknown };
  return typeof responseCode === 'number' && responseCode >= 500 && (code === 'EENVELOPE' || code === 'EMESSAGE');
}
