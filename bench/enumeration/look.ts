import { createHash } from 'node:crypto';
import { Agent, request } from 'undici';
import { shuffled } from '../order.ts';
import type { Door } from './doors.ts';

/** One request, and what of its answer could tell something. */
export interface Look {
  kind: string;
  /** The kind of the request before it. */
  after: string | undefined;
  milliseconds: number;
  answer: string;
}

export interface Prepared {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Parts of the answer that belong to this request: never a difference. */
  own: readonly string[];
}

const CHANGING_HEADERS = new Set(['date', 'x-request-id', 'set-cookie', 'location']);
const CODES = /(?:session_code|tab_id|execution|client_data|code|state|nonce|kc_locale|auth_session_id)(?:=|&#x3D;)[\w.~%+-]*/g;
const SCRIPT_NUMBERS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"[\w+/=.-]{20,}"|'[\w+/=.-]{20,}'/g;

/** Every kind once a round, in an order of its own, so that whatever else the machine does falls on all of them. */
export async function alternate(door: Door, { rounds, warmUp }: { rounds: number; warmUp: number }): Promise<Look[]> {
  const agent = new Agent({ connections: 1, pipelining: 1 });
  const looks: Look[] = [];
  let after: string | undefined;
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const kind of shuffled(Object.keys(door.kinds))) {
      const prepared = await door.prepare(door.kinds[kind]!());
      const look = await send(prepared, agent);
      if (round >= 0) looks.push({ kind, after, ...look });
      after = kind;
    }
  }
  await agent.close();
  return looks;
}

async function send({ url, headers, body, own }: Prepared, dispatcher: Agent): Promise<{ milliseconds: number; answer: string }> {
  const started = performance.now();
  const answer = await request(url, { method: 'POST', headers, body, dispatcher });
  const text = await answer.body.text();
  const milliseconds = performance.now() - started;
  if (answer.statusCode === 429 || answer.statusCode >= 500) {
    throw new Error(`${url} answered ${answer.statusCode}. The limits must be wide open for this: ${text.slice(0, 300)}`);
  }
  return { milliseconds, answer: fingerprint(answer.statusCode, answer.headers, text, own) };
}

function fingerprint(status: number, headers: Readonly<Record<string, string | string[] | undefined>>, body: string, own: readonly string[]): string {
  const kept = Object.entries(headers).map(([name, value]) => (CHANGING_HEADERS.has(name) ? name : `${name}: ${String(value)}`));
  const cookies = [headers['set-cookie'] ?? []].flat().map((cookie) => cookie.split('=', 1)[0]);
  const location = String(headers['location'] ?? '').split('?', 1)[0];
  const told = own.reduce((text, part) => text.replaceAll(part, '…'), body).replaceAll(CODES, '…').replaceAll(SCRIPT_NUMBERS, '…');
  const digest = createHash('sha256').update([...kept.filter((header) => !header.startsWith('content-length')), ...cookies, location, told].join('\n')).digest('hex');
  return `${status} ${digest.slice(0, 12)}`;
}
