import { z } from 'zod';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product } from '../../platform/products.ts';
import type { Secret } from '../../platform/secret.ts';
import { CODES_OF_ANSWERS, VERIFIERS, type CaptchaProvider } from './verifiers.ts';

const LIMIT_MILLISECONDS = 5_000;

export interface CaptchaSettings {
  provider: CaptchaProvider;
  siteKey: string;
  secret: Secret;
  /** Asked instead of the provider's own. */
  verifyUrl: string | undefined;
  /** Hosts of pages that show the widget, besides the origins of products. */
  hostnames: readonly string[];
}

export interface Captcha {
  /**
   * Passes where a person solved the widget on a page of ours, once. Throws `captcha_refused`, with its field, where not, and
   * `captcha_unavailable` where nobody can say: closed, because what keeps bots out must not be opened by an outage.
   */
  demand(answer: string | undefined, from: { clientAddress: string; product: Product }): Promise<void>;
}

export const noCaptcha: Captcha = { demand: async () => {} };

const verdictSchema = z.object({ success: z.boolean(), hostname: z.string().optional(), 'error-codes': z.array(z.string()).default([]) });

export function captchaBy(settings: CaptchaSettings, log: Log): Captcha {
  return {
    demand: async (answer, { clientAddress, product }) => {
      if (answer === undefined || answer === '') throw refused();
      const verdict = await ask(settings, answer, clientAddress).catch((error: unknown) => Promise.reject(unavailable(error)));
      const codes = verdict['error-codes'];
      if (!verdict.success && (codes.length === 0 || !codes.every((code) => CODES_OF_ANSWERS.has(code)))) {
        throw unavailable(new Error(`${settings.provider} answered ${codes.join(', ') || 'without a reason'}: are CAPTCHA_SECRET and CAPTCHA_SITE_KEY of one widget?`));
      }
      if (!verdict.success) throw refused();
      const hostname = verdict.hostname ?? '';
      if (settings.hostnames.includes(hostname) || product.origins.some((origin) => new URL(origin).hostname === hostname)) return;
      log.warn({ hostname: hostname.slice(0, 255) }, 'a captcha was solved on a page that is none of ours: CAPTCHA_HOSTNAMES and the origins of products list those that are');
      throw refused();
    },
  };
}

async function ask({ provider, siteKey, secret, verifyUrl }: CaptchaSettings, answer: string, clientAddress: string): Promise<z.infer<typeof verdictSchema>> {
  const { url, takesSiteKey } = VERIFIERS[provider];
  const body = new URLSearchParams({ secret: secret.reveal(), response: answer, remoteip: clientAddress, ...(takesSiteKey && { sitekey: siteKey }) });
  const reply = await fetch(verifyUrl ?? url, { method: 'POST', body, redirect: 'error', signal: AbortSignal.timeout(LIMIT_MILLISECONDS) });
  const text = await reply.text();
  // Turnstile says what is wrong with a request with status 400 as well.
  if (reply.status >= 500 || reply.status === 429) throw new Error(`status ${reply.status}`);
  return verdictSchema.parse(JSON.parse(text));
}

function refused(): AppError {
  return new AppError('captcha_refused', 'captcha: solve it, or solve it again: each answer works once, and only for minutes.', { field: 'captcha' });
}

function unavailable(cause: unknown): AppError {
  return new AppError('captcha_unavailable', "Try again in a minute: whether the captcha was solved can't be found out right now.", { cause, retryAfterSeconds: 60 });
}
