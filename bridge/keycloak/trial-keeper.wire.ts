import { z } from 'zod';
import { AppError } from '../../platform/problem.ts';
import type { KeycloakAccess } from './accounts.ts';
import { noAnswer } from './no-answer.ts';
import type { Keeping } from './trial-keeper.ts';

const TIME_LIMIT_MILLISECONDS = 10_000;
const GUIDE = 'docs/trial-life.md says what the realm needs; npm run doctor names what is missing.';

/** What the jar says about the person, by the code of its problem: of one on trial, and of one who is to be. */
const ON_TRIAL = ['unknown_user', 'not_managed'] as const;
const TO_BE = ['unknown_user', 'other_trial', 'not_eligible'] as const;

const kept = z.object({ result: z.enum(['held', 'newer']), held: z.number() });
const ended = z.object({ ended: z.number() });
const removed = z.object({ result: z.enum(['removed', 'kept_account']) });
const problem = z.object({ code: z.string(), detail: z.string() }).partial();

/** The messages are the files of test/contract. */
export function keeperCalls({ internalUrl, realm }: Pick<KeycloakAccess, 'internalUrl' | 'realm'>, accessToken: () => Promise<string>) {
  const users = `${internalUrl}/realms/${encodeURIComponent(realm)}/vestibule-trials/users`;

  const call = async <Answer, Code extends string>(method: string, path: string, body: object, [schema, aboutPeople]: readonly [z.ZodType<Answer>, readonly Code[]], requestId?: string): Promise<Answer | Code> => {
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(`${users}/${path}`, {
        method,
        redirect: 'error',
        headers: {
          authorization: `Bearer ${await accessToken()}`,
          'content-type': 'application/json',
          ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS),
      });
      text = await answer.text();
    } catch (error) {
      throw noAnswer(error);
    }
    const parsed = answer.status === 200 ? schema.safeParse(json(text)) : undefined;
    if (parsed?.success) return parsed.data;
    return said(answer.status, problem.safeParse(json(text)).data ?? {}, aboutPeople);
  };

  return {
    beginStamp: (userId: string, { product, entry, version, roles, username }: Keeping & { username: string }, requestId?: string) =>
      call('POST', `${encodeURIComponent(userId)}/stamp`, { product, entry, version, roles, username }, [kept, TO_BE], requestId),
    keepStamp: (userId: string, { product, entry, version, roles }: Keeping, requestId?: string) =>
      call('PUT', `${encodeURIComponent(userId)}/stamp`, { product, entry, version, roles }, [kept, ON_TRIAL], requestId),
    endSessions: (userId: string, product: string, requestId?: string) => call('POST', `${encodeURIComponent(userId)}/sessions/end`, { product }, [ended, ON_TRIAL], requestId),
    remove: (userId: string, product: string, requestId?: string) => call('DELETE', encodeURIComponent(userId), { product }, [removed, ON_TRIAL], requestId),
  };
}

function said<Code extends string>(status: number, { code, detail }: z.infer<typeof problem>, aboutPeople: readonly Code[]): Code {
  const one = aboutPeople.find((known) => known === code);
  if (one !== undefined) return one;
  if (status >= 500) throw new AppError('bad_gateway', `Keycloak failed (${status}). Send the same request again: it goes on where it stood.`);
  throw new AppError('unavailable', `Keycloak does not let the bridge keep trials (${status} ${code ?? 'without a code'}${detail === undefined ? '' : `: ${detail}`}). ${GUIDE}`);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
