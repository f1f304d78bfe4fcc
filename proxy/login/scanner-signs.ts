import type { IncomingMessage } from 'node:http';

/** What speaks for a mail scanner, a preview or a prefetch instead of a person; the bridge judges (bridge/life/sighting.service.ts). */
export type ScannerSign = 'head' | 'user_agent' | 'prefetch' | 'no_language' | 'no_cookies';

/** By the words in which they name themselves, or the library that they are made with. Those that pose as a browser have other signs. */
const NO_BROWSER =
  /bot\b|crawl|spider|scan|preview|proofpoint|mimecast|barracuda|forcepoint|trendmicro|symantec|safelinks|urldefense|googleimageproxy|google-safety|facebookexternalhit|whatsapp|skypeuri|headlesschrome|phantomjs|curl\/|wget\/|python|go-http-client|java\/|libwww|node-fetch|axios|undici|^node$/i;
const AHEAD = /prefetch|prerender|preview/i;

export function scannerSigns({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): ScannerSign[] {
  const agent = headers['user-agent'] ?? '';
  const purpose = [headers['sec-purpose'], headers['purpose'], headers['x-purpose'], headers['x-moz']].join(' ');
  const signs: [ScannerSign, boolean][] = [
    ['head', method === 'HEAD'],
    ['user_agent', agent === '' || NO_BROWSER.test(agent)],
    ['prefetch', AHEAD.test(purpose)],
    ['no_language', headers['accept-language'] === undefined],
    ['no_cookies', headers.cookie === undefined],
  ];
  return signs.flatMap(([sign, has]) => (has ? [sign] : []));
}
