import * as oidc from 'openid-client';
import { unreachable } from './failures.ts';

/** Replaced this long before it ends. */
const MARGIN_MILLISECONDS = 30_000;

interface Answer {
  token: string;
  lifetimeMilliseconds: number;
}

/** This proxy's own token for the bridge, by client credentials; kept until shortly before it ends. `renew` drops what is kept. */
export function serviceTokens(configuration: () => Promise<oidc.Configuration>): (options?: { renew?: boolean }) => Promise<string> {
  let service: { answer: Promise<Answer>; until: number } | undefined;

  const request = async (): Promise<Answer> => {
    const answer = await oidc.clientCredentialsGrant(await configuration()).catch((error: unknown) => {
      throw unreachable(error);
    });
    return { token: answer.access_token, lifetimeMilliseconds: (answer.expires_in ?? 0) * 1000 - MARGIN_MILLISECONDS };
  };

  return async ({ renew = false } = {}) => {
    if (!renew && service && service.until >= Date.now()) return (await service.answer).token;
    // Asked for once: callers that come meanwhile wait for the same answer.
    const asked = { answer: request(), until: Number.POSITIVE_INFINITY };
    service = asked;
    try {
      const { token, lifetimeMilliseconds } = await asked.answer;
      asked.until = Date.now() + lifetimeMilliseconds;
      return token;
    } catch (error) {
      if (service === asked) service = undefined;
      throw error;
    }
  };
}
