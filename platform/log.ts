import pino, { type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

const SECRET_KEYS = ['token', 'invitation_token', 'password', 'authorization', 'cookie', 'set-cookie', 'client_secret', 'code_verifier', 'id_token', 'access_token', 'refresh_token'];

/** JSON lines on standard output. Values under names that carry secrets are cut, two levels deep. */
export function createLog(part: string, level: string, destination?: DestinationStream): Log {
  const paths = SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]);
  const options = { level, base: { part }, redact: { paths, censor: '[secret]' }, timestamp: pino.stdTimeFunctions.isoTime };
  return destination ? pino(options, destination) : pino(options);
}

/** For lines of plain values under names of ours, many a second: looking for secrets takes longer than checking a token's signature. */
export function withoutRedaction(log: Log): Log {
  return log.child({}, { redact: [] });
}
