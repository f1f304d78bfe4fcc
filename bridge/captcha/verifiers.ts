/** A service that says whether a person solved its widget. */
export interface Verifier {
  url: string;
  /** Whether it takes the key of the widget, and refuses answers that another widget got. */
  takesSiteKey: boolean;
}

/**
 * Both are asked by a form post of `secret`, `response` and `remoteip`, and answer `success`, `hostname`, `error-codes`.
 * developers.cloudflare.com/turnstile/get-started/server-side-validation, docs.hcaptcha.com (Verify the User Response).
 */
export const VERIFIERS = {
  turnstile: { url: 'https://challenges.cloudflare.com/turnstile/v0/siteverify', takesSiteKey: false },
  hcaptcha: { url: 'https://api.hcaptcha.com/siteverify', takesSiteKey: true },
} as const satisfies Readonly<Record<string, Verifier>>;

export type CaptchaProvider = keyof typeof VERIFIERS;

/** Of either: what the answer that somebody sent is refused for. Every other code is about us, or about the service itself. */
export const CODES_OF_ANSWERS: ReadonlySet<string> = new Set([
  'missing-input-response',
  'invalid-input-response',
  'timeout-or-duplicate',
  'expired-input-response',
  'already-seen-response',
  'invalid-or-already-seen-response',
]);
