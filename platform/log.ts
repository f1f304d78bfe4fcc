import pino, { type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

const SECRET_KEYS = ['token', 'invitation_token', 'password', 'authorization', 'cookie', 'set-cookie', 'client_secret', 'code_verifier', 'id_token', 'access_token', 'refresh_token'];
const LINES_TOGETHER_CHARACTERS = 16_384;
const LATEST_MILLISECONDS = 1_000;

/** Of errors: where and why. Libraries hang whole connections, requests and rows on theirs, with the keys and people in them (SECURITY.md 14). */
const ERROR_KEYS = ['code', 'status', 'errno', 'syscall', 'address', 'port', 'responseCode', 'severity', 'schema', 'table', 'column', 'constraint'] as const;

/** JSON lines on standard output. Values under names that carry secrets are cut, two levels deep. */
export function createLog(part: string, level: string, destination: DestinationStream = standardOutput()): Log {
  const paths = SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]);
  const options = { level, base: { part }, redact: { paths, censor: '[secret]' }, timestamp: isoTime, serializers: { err: errorInLog } };
  return pino(options, destination);
}

/** Causes are in its message and stack. */
function errorInLog(error: unknown): unknown {
  if (typeof (error as Partial<Error> | null | undefined)?.message !== 'string') return error;
  const told = error as Error & { errors?: unknown } & Partial<Record<(typeof ERROR_KEYS)[number], unknown>>;
  const { type, message, stack } = pino.stdSerializers.err(told);
  const plain = ERROR_KEYS.flatMap((key) => (typeof told[key] === 'string' || typeof told[key] === 'number' ? [[key, told[key]] as const] : []));
  return { type, message, stack, ...Object.fromEntries(plain), ...(Array.isArray(told.errors) && { aggregateErrors: told.errors.map(errorInLog) }) };
}

/** Lines go out together, a second late at most: one write for each of them costs as much as a tenth of passing a request on. */
function standardOutput(): DestinationStream & { flushSync(): void } {
  const stream = pino.destination({ fd: 1, sync: true });
  let waiting = '';
  const flushSync = (): void => {
    const lines = waiting;
    waiting = '';
    if (lines !== '') stream.write(lines);
  };
  setInterval(flushSync, LATEST_MILLISECONDS).unref();
  process.once('exit', flushSync);
  return {
    write: (line) => {
      waiting += line;
      if (waiting.length >= LINES_TOGETHER_CHARACTERS) flushSync();
    },
    flushSync,
  };
}

let second = { at: Number.NaN, text: '' };

/** As pino has it; many lines are of one second. */
function isoTime(): string {
  const now = Date.now();
  const at = Math.floor(now / 1000);
  if (at !== second.at) second = { at, text: `,"time":"${new Date(now).toISOString().slice(0, -'000Z'.length)}` };
  return `${second.text}${String(now % 1000).padStart(3, '0')}Z"`;
}

/** What JSON has as it stands. */
const PLAIN_TEXT = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/**
 * Lines of one message whose values, plain ones in the order of `names`, never are secrets: as `log.info` writes them, some thousand a
 * second. To look for secrets and into objects takes longer than all else about a request. What is undefined is left out; numbers have
 * one decimal at most.
 */
export function plainLines(log: Log, message: string, names: readonly string[]): (values: readonly (string | number | boolean | undefined)[]) => void {
  const internals = log as unknown as Readonly<Record<symbol, unknown>>;
  const stream = internals[pino.symbols.streamSym] as DestinationStream;
  const level = `{"level":${log.levels.values['info']}`;
  const who = String(internals[pino.symbols.chindingsSym]);
  const keys = names.map((name) => `,${JSON.stringify(name)}:`);
  const end = `,"msg":${JSON.stringify(message)}}\n`;
  return (values) => {
    if (!log.isLevelEnabled('info')) return;
    let line = level + isoTime() + who;
    for (let at = 0; at < keys.length; at += 1) {
      const value = values[at];
      if (value !== undefined) line += keys[at] + (typeof value === 'string' ? quoted(value) : typeof value === 'number' ? decimal(value) : String(value));
    }
    stream.write(line + end);
  };
}

function quoted(text: string): string {
  return PLAIN_TEXT.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Whole numbers are written several times as fast as others. */
function decimal(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  const tenths = Math.round(Math.abs(value) * 10);
  return `${value < 0 ? '-' : ''}${String(Math.floor(tenths / 10))}.${String(tenths % 10)}`;
}
