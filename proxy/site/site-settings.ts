import { z } from 'zod';
import { baseUrl } from '../../platform/config.ts';
import { USUAL_LIMITS, type UpstreamLimits } from '../upstream/limits.ts';
import type { CorsRules } from './cors.ts';

export const origin = baseUrl.refine((value) => new URL(value).origin === value, 'must be an origin: scheme, host and port, without a path');

const LONGEST_SECONDS = 24 * 3600;
export const seconds = z.number().positive('must be more than 0').max(LONGEST_SECONDS, 'must be a day at most');

/** Of an app. */
export const connections = z.int().min(1).max(1_000_000);

/** SECURITY.md 24 */
export const frameAncestors = z.enum(['none', 'self', 'app']).default('none');

/** Of whoever asks and of what is asked: `*` would let every page of the web act as the person. */
export const corsOrigin = origin.describe('An origin: scheme, host and port');
export const methodName = z.string().regex(/^[A-Z]+$/, 'must be a method in capitals');
export const fieldName = z.string().regex(/^[A-Za-z0-9!#$%&'+.^_`|~-]+$/, 'must be the name of a header');

export interface WrittenCors {
  origins: readonly string[];
  methods: readonly string[];
  headers: readonly string[];
  exposed_headers: readonly string[];
  max_age_seconds: number;
}

export function corsRules(written: WrittenCors | undefined): CorsRules | undefined {
  if (!written) return undefined;
  const { origins, methods, headers, exposed_headers, max_age_seconds } = written;
  return { origins, methods, headers: headers.map((name) => name.toLowerCase()), exposed: exposed_headers, maxAgeSeconds: max_age_seconds };
}

export interface WrittenLimits {
  connect_seconds?: number | undefined;
  answer_seconds?: number | undefined;
  idle_seconds?: number | undefined;
  whole_seconds?: number | undefined;
  connections?: number | undefined;
}

export function limitsFrom({ connect_seconds, answer_seconds, idle_seconds, whole_seconds, connections = USUAL_LIMITS.connections }: WrittenLimits = {}): UpstreamLimits {
  return {
    connectMilliseconds: milliseconds(connect_seconds, USUAL_LIMITS.connectMilliseconds),
    answerMilliseconds: milliseconds(answer_seconds, USUAL_LIMITS.answerMilliseconds),
    idleMilliseconds: milliseconds(idle_seconds, USUAL_LIMITS.idleMilliseconds),
    wholeMilliseconds: whole_seconds === undefined ? undefined : whole_seconds * 1000,
    connections,
  };
}

function milliseconds(written: number | undefined, usual: number): number {
  return written === undefined ? usual : written * 1000;
}
