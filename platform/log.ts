import pino, { type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

const SECRET_KEYS = ['token', 'invitation_token', 'password', 'authorization', 'cookie', 'set-cookie', 'client_secret', 'code_verifier', 'id_token', 'access_token', 'refresh_token'];
const LINES_TOGETHER_BYTES = 8_192;
const LATEST_MILLISECONDS = 1_000;

/** JSON lines on standard output. Values under names that carry secrets are cut, two levels deep. */
export function createLog(part: string, level: string, destination: DestinationStream = standardOutput()): Log {
  const paths = SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]);
  const options = { level, base: { part }, redact: { paths, censor: '[secret]' }, timestamp: isoTime };
  return pino(options, destination);
}

/** Lines go out together, a second late at most: one write for each of them costs as much as a tenth of passing a request on. */
function standardOutput(): DestinationStream {
  const stream = pino.destination({ fd: 1, sync: true, minLength: LINES_TOGETHER_BYTES });
  setInterval(() => stream.flush(), LATEST_MILLISECONDS).unref();
  process.once('exit', () => stream.flushSync());
  return stream;
}

let written = { at: Number.NaN, text: '' };

/** As pino has it; many lines are of one millisecond. */
function isoTime(): string {
  const at = Date.now();
  if (at !== written.at) written = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return written.text;
}

/** For lines of plain values under names of ours, many a second: looking for secrets takes longer than checking a token's signature. */
export function withoutRedaction(log: Log): Log {
  return log.child({}, { redact: [] });
}
