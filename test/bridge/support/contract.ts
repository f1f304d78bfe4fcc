import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', '..', 'contract');

/** Copies of all messages, made when a release goes out; those before the previous one may go. */
export const RELEASES = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory() && /^\d/.test(entry.name)).map(({ name }) => name);

/** Paths below test/contract. */
export function messagesIn(folder: string): string[] {
  return readdirSync(join(FOLDER, folder)).filter((file) => file.endsWith('.json')).map((file) => join(folder, file));
}

export function textOf(path: string): string {
  return readFileSync(join(FOLDER, path), 'utf8');
}

export function readMessage<Message>(path: string): Message {
  return JSON.parse(textOf(path)) as Message;
}
