import { RateLimiterRes, type RateLimiterPostgres } from 'rate-limiter-flexible';
import { AppError } from '../../platform/problem.ts';
import { inWords } from './wait.ts';

/** Counts one; throws `rate_limited` with the wait when it is one too many. */
export async function consume(limiter: RateLimiterPostgres, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    throw tooMany(refusal.msBeforeNext);
  }
}

export function tooMany(milliseconds: number): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new AppError('rate_limited', `Try again in ${inWords(retryAfterSeconds)}.`, { retryAfterSeconds });
}
