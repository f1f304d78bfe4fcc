import type { Visit } from '../../platform/http-browser.ts';

const CHANGING_HEADERS = new Set(['date', 'set-cookie', 'content-length']);
const CODES = /(?:session_code|tab_id|execution|client_data|code|state|nonce|auth_session_id)(?:=|&#x3D;)[\w.~%+-]*/g;
const SCRIPT_VALUES = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"[\w+/=.-]{20,}"|'[\w+/=.-]{20,}'/g;

/** An answer as far as it could tell something about whom it was asked: without codes, dates, and the address itself. */
export function answerAbout(address: string, { status, headers, body, url }: Visit): object {
  return {
    status,
    path: new URL(url).pathname,
    headers: [...headers].filter(([name]) => !CHANGING_HEADERS.has(name)),
    cookies: headers.getSetCookie().map((line) => line.replace(/=[^;]*/, '=…')),
    body: body.replaceAll(address, '…').replaceAll(CODES, '…').replaceAll(SCRIPT_VALUES, '…'),
  };
}
