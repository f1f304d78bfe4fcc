import type { IncomingHttpHeaders } from 'node:http';

/** What the proxy says about the person, by its identity headers. */
export interface Identity {
  userId: string;
  email: string;
  name: string;
  roles: string[];
  groups: string[];
  /** The id of the person's small app, where there is one. */
  trialApp: string | undefined;
  /** `grace`: the trial is over, and the person may still come in for a while; empty without a trial. */
  trialState: string;
  trialEndsAt: Date | undefined;
  /** In a frame of another page: what leads out of the small app leads nowhere. */
  framed: boolean;
}

export function identityFrom(headers: IncomingHttpHeaders): Identity | undefined {
  const header = (name: string): string => {
    const value = headers[name];
    // The proxy sends UTF-8; Node reads header bytes as Latin-1.
    return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8').trim() : '';
  };
  const userId = header('x-user');
  if (userId === '') return undefined;
  const endsAt = Number(header('x-trial-ends-at'));
  const email = header('x-user-email');
  return {
    userId,
    email,
    name: header('x-user-name') || email || userId,
    roles: header('x-user-roles').split(/[\s,]+/).filter(Boolean),
    groups: header('x-user-groups').split(',').filter(Boolean),
    trialApp: header('x-trial-app') || undefined,
    trialState: header('x-trial-state'),
    trialEndsAt: endsAt > 0 ? new Date(endsAt * 1000) : undefined,
    framed: header('x-forwarded-prefix') !== '',
  };
}
