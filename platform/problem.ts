/** The one error class of ours. `code` is literal; its status and title stand in {@link PROBLEMS}. */
export class AppError extends Error {
  readonly code: ProblemCode;
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
  /** The part of the request that is meant, by its path: `username`, `attributes.team`. */
  readonly field: string | undefined;
  constructor(code: ProblemCode, detail: string, options: { cause?: unknown; retryAfterSeconds?: number; field?: string | undefined } = {}) {
    super(detail, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.field = options.field;
  }
}

export const PROBLEMS = {
  invalid_request: [400, 'The request is not valid'],
  unauthorized: [401, 'A valid access token is needed'],
  proxy_unauthorized: [401, 'The proxy needs a valid access token'],
  forbidden: [403, 'This caller may not do that'],
  not_allowed: [403, 'This account may not see this'],
  remote_realm_missing: [403, 'This organization is not registered'],
  remote_realm_mismatch: [403, 'This organization belongs to another server'],
  registration_deactivated: [403, 'This registration is deactivated'],
  not_found: [404, 'There is nothing here'],
  method_not_allowed: [405, 'This address does not take that method'],
  username_mismatch: [409, 'This invitation is for another address'],
  other_account: [409, 'This trial is offered to another account'],
  trial_exists: [409, 'This account has this trial already'],
  attempt_conflict: [409, 'A later attempt took over'],
  account_exists: [409, 'This address has an account already'],
  hostname_taken: [409, 'Another server has this hostname'],
  trial_over: [409, 'This trial is over'],
  impossible_transition: [409, 'A trial in this state cannot do that'],
  not_possible: [409, 'That cannot be done as things are'],
  paid_plan_runs: [409, 'A paid plan runs'],
  plan_conflict: [409, 'Two plans are in the way of each other'],
  invitation_unknown: [410, 'This invitation does not exist'],
  invitation_expired: [410, 'This invitation has expired'],
  invitation_revoked: [410, 'This invitation was withdrawn'],
  invitation_spent: [410, 'This invitation was used already'],
  billing_link_expired: [410, 'This billing link has expired'],
  billing_link_revoked: [410, 'This billing link was withdrawn'],
  billing_link_spent: [410, 'This billing link was used already'],
  payload_too_large: [413, 'The request is too large'],
  unsupported_media_type: [415, 'The body is of an unsupported type'],
  misdirected_request: [421, 'This host is not served here'],
  captcha_refused: [422, 'The captcha was not solved'],
  idempotency_key_reused: [422, 'This Idempotency-Key was used for something else'],
  password_refused: [422, 'The password policy refuses this password'],
  rate_limited: [429, 'Too many requests'],
  internal_error: [500, 'Something went wrong here'],
  bad_gateway: [502, 'The service behind this one did not answer'],
  captcha_unavailable: [503, "The captcha can't be checked right now"],
  unavailable: [503, 'This service is not ready'],
  preparing: [503, 'The workspace is being prepared'],
  gateway_timeout: [504, 'The service behind this one took too long'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  request_id: string;
  field?: string;
}

/** RFC 9457. Anything that is not an {@link AppError} becomes `internal_error`; its message stays inside. */
export function toProblem(error: unknown, requestId: string): Problem {
  const known = error instanceof AppError ? error : undefined;
  const code = known?.code ?? 'internal_error';
  const [status, title] = PROBLEMS[code];
  const detail = known?.message ?? 'Try again. If it happens again, tell support the request id.';
  return { type: `urn:vestibule:problem:${code}`, title, status, detail, code, request_id: requestId, ...(known?.field !== undefined && { field: known.field }) };
}
