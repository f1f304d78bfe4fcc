import { createTransport } from 'nodemailer';
import type { Check, Faults } from './check.ts';
import type { View } from './view.ts';

const TIME_LIMIT_MILLISECONDS = 20_000;

/** Both greet and close: no mail is sent, and Keycloak's own password, which it does not show, is not tried. */
export const smtpChecks: readonly Check[] = [
  {
    name: 'realm-smtp',
    run: realmSmtp,
    advice: 'Realm settings → Email: correct the connection, then "Test connection", which sends a mail to the admin who presses it. Password resets need it.',
  },
  { name: 'bridge-smtp', run: bridgeSmtp, advice: 'Correct SMTP_URL of the bridge; invitations wait in the queue meanwhile.' },
];

async function realmSmtp({ realm }: View): Promise<Faults> {
  const { host, port, from, ssl, starttls } = realm.smtpServer ?? {};
  if (!host) return ['the realm has no mail server'];
  const answered = await greeting({ host, port: Number(port ?? (ssl === 'true' ? 465 : 25)), secure: ssl === 'true', requireTLS: starttls === 'true' });
  return [...(from ? [] : ['the realm has no sender address for mails']), ...(answered === undefined ? [] : [`the realm's mail server ${host}:${port ?? ''} did not answer this machine: ${answered}`])];
}

async function bridgeSmtp({ config }: View): Promise<Faults> {
  const answered = await greeting({ url: config.smtpUrl.reveal() });
  return answered === undefined ? [] : [`the mail server of the bridge (SMTP_URL) did not answer: ${answered}`];
}

/** Why it was not to be had; undefined when it greeted. */
async function greeting(server: Readonly<Record<string, string | number | boolean>>): Promise<string | undefined> {
  const transport = createTransport({
    ...server,
    connectionTimeout: TIME_LIMIT_MILLISECONDS,
    greetingTimeout: TIME_LIMIT_MILLISECONDS,
    socketTimeout: TIME_LIMIT_MILLISECONDS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.verify();
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return message || code;
  } finally {
    transport.close();
  }
}
