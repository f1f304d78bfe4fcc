import type { Response } from 'express';

/** A check for robots that a third party's script draws into our forms. */
interface Widget {
  script: string;
  /** Of the element that the script fills. */
  elementClass: string;
  /** The field in which the form brings the person's answer. */
  answerField: string;
  /** What the script needs of the content policy, besides what every page allows. */
  sources: Readonly<Record<string, readonly string[]>>;
}

const HCAPTCHA_HOSTS = ['https://hcaptcha.com', 'https://*.hcaptcha.com'];

/** developers.cloudflare.com/turnstile/reference/content-security-policy, docs.hcaptcha.com (Content-Security-Policy Settings). */
const WIDGETS = {
  turnstile: {
    script: 'https://challenges.cloudflare.com/turnstile/v0/api.js',
    elementClass: 'cf-turnstile',
    answerField: 'cf-turnstile-response',
    sources: { 'script-src': ['https://challenges.cloudflare.com'], 'frame-src': ['https://challenges.cloudflare.com'] },
  },
  hcaptcha: {
    script: 'https://js.hcaptcha.com/1/api.js',
    elementClass: 'h-captcha',
    answerField: 'h-captcha-response',
    sources: { 'script-src': HCAPTCHA_HOSTS, 'frame-src': HCAPTCHA_HOSTS, 'style-src': HCAPTCHA_HOSTS, 'connect-src': HCAPTCHA_HOSTS },
  },
} as const satisfies Readonly<Record<string, Widget>>;

export type CaptchaProvider = keyof typeof WIDGETS;
export const CAPTCHA_PROVIDERS = Object.keys(WIDGETS) as [CaptchaProvider, ...CaptchaProvider[]];

export interface CaptchaWidget extends Widget {
  siteKey: string;
}

export function captchaWidget({ provider, siteKey }: { provider: CaptchaProvider; siteKey: string }): CaptchaWidget {
  return { ...WIDGETS[provider], siteKey };
}

/** This page, and no other, may load what the widget needs. */
export function allowWidget(res: Response, { sources }: Widget): void {
  const policy = new Map(
    String(res.getHeader('Content-Security-Policy') ?? '')
      .split(';')
      .map((directive) => directive.trim().split(/\s+/))
      .map(([name = '', ...allowed]) => [name, allowed]),
  );
  for (const [name, more] of Object.entries(sources)) policy.set(name, [...(policy.get(name) ?? []), ...more]);
  res.setHeader('Content-Security-Policy', [...policy].map(([name, allowed]) => [name, ...allowed].join(' ')).join(';'));
}
