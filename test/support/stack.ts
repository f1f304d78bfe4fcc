import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Message } from '../../dev/inbox/message.ts';
import { withClient } from '../../dev/postgres.ts';
import type { StackDescription } from '../../dev/stack.ts';
import { eventually } from './eventually.ts';
import { STACK_VARIABLE } from './stack-variable.ts';

const MAIL_LIMIT_MS = 15_000;

export function stack(): StackDescription {
  return JSON.parse(readFileSync(stackFile(), 'utf8')) as StackDescription;
}

function stackFile(): string {
  const file = process.env[STACK_VARIABLE];
  if (!file) throw new Error(`${STACK_VARIABLE} is not set: run this test by npm test.`);
  return file;
}

export const inbox = {
  /** Newest first. */
  async messages(): Promise<Message[]> {
    const response = await fetch(`${stack().inbox}/api/messages`);
    return (await response.json()) as Message[];
  },
  /** The newest mail to that address, once `count` have come. */
  waitForMail(to: string, count = 1): Promise<Message> {
    return eventually(async () => {
      const found = (await inbox.messages()).filter((message) => message.to === to);
      return found.length >= count ? found[0] : undefined;
    }, MAIL_LIMIT_MS);
  },
};

/** Puts the domain clock of the bridge that many seconds ahead of real time; 0 puts it right again. */
export async function moveClock(seconds: number): Promise<void> {
  const response = await fetch(`${stack().bridge}/dev/clock`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ offset_seconds: seconds }),
  });
  if (!response.ok) throw new Error(`The bridge did not move its clock: ${response.status} ${await response.text()}`);
}

/** Behind everybody's back, as the superuser. */
export function queryDatabase(statement: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
  return withClient(stack().databaseUrl, async (client) => (await client.query(statement, [...values])).rows as Record<string, unknown>[]);
}

/** Stops a part of the stack in its tracks: it takes connections and answers nothing. Answers how to let it go on. */
export function pause(part: 'bridge' | 'proxy'): () => void {
  const processes = JSON.parse(readFileSync(join(dirname(stackFile()), 'processes.json'), 'utf8')) as { name: string; pid: number }[];
  const found = processes.find((one) => one.name === part);
  if (!found) throw new Error(`${part} is not among the processes of the stack.`);
  process.kill(found.pid, 'SIGSTOP');
  return () => {
    process.kill(found.pid, 'SIGCONT');
  };
}

/** What a part has logged so far. */
export function logOf(part: 'bridge' | 'proxy' | 'keycloak'): string {
  return readFileSync(join(dirname(process.env[STACK_VARIABLE] ?? ''), 'logs', `${part}.log`), 'utf8');
}
