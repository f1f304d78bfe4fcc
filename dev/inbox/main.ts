import { openInbox } from './inbox.ts';

const host = process.env['INBOX_HOST'] ?? '127.0.0.1';
const inbox = await openInbox({ host, httpPort: Number(process.env['INBOX_PORT'] ?? 8403), smtpPort: Number(process.env['INBOX_SMTP_PORT'] ?? 8404) });
console.log(`Inbox on http://${host}:${inbox.httpPort}, SMTP on ${host}:${inbox.smtpPort}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void inbox.close());
