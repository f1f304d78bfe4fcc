import type { RealmAdmin } from './admin.ts';
import type { Change } from './change.ts';
import type { Shipped } from './shipped.ts';

export interface Policy {
  name: string;
  enabled?: boolean;
  profiles?: string[];
  [field: string]: unknown;
}

const WHY = 'Refresh and code exchange run no flow: this is what ends them with the trial. People without a stamp cost it nothing';

/** The profile first: a policy may not name one that is not there. */
export async function clientPolicyChanges(admin: RealmAdmin, { clientProfiles, clientPolicies }: Shipped): Promise<Change[]> {
  const [profiles, policies] = await Promise.all([readProfiles(admin), readPolicies(admin)]);
  return [
    ...clientProfiles.profiles
      .filter(({ name }) => !profiles.some((one) => one.name === name))
      .map((profile) => ({ subject: `profile ${profile.name}`, what: 'is made', why: WHY, make: () => putProfile(admin, profile) })),
    ...clientPolicies.policies.flatMap((policy): Change[] => {
      const found = policies.find(({ name }) => name === policy.name);
      const make = (): Promise<void> => putPolicy(admin, { ...policy, ...found, enabled: true });
      if (found === undefined) return [{ subject: `policy ${policy.name}`, what: 'is made', why: WHY, make }];
      return found.enabled ? [] : [{ subject: `policy ${policy.name}`, what: 'is switched on', why: WHY, before: 'off', after: 'on', make }];
    }),
  ];
}

export async function readPolicies(admin: RealmAdmin): Promise<Policy[]> {
  return (await admin.get<{ policies?: Policy[] }>('/client-policies/policies')).policies ?? [];
}

export async function readProfiles(admin: RealmAdmin): Promise<{ name: string }[]> {
  return (await admin.get<{ profiles?: { name: string }[] }>('/client-policies/profiles')).profiles ?? [];
}

export async function putPolicy(admin: RealmAdmin, policy: Policy): Promise<void> {
  const others = (await readPolicies(admin)).filter(({ name }) => name !== policy.name);
  await admin.put('/client-policies/policies', { policies: [...others, policy] });
}

async function putProfile(admin: RealmAdmin, profile: { name: string }): Promise<void> {
  const others = (await readProfiles(admin)).filter(({ name }) => name !== profile.name);
  await admin.put('/client-policies/profiles', { profiles: [...others, profile] });
}

/** In this order: Keycloak refuses a policy whose profile is gone. */
export async function removeClientPolicy(admin: RealmAdmin, { policies, profiles }: { policies: readonly string[]; profiles: readonly string[] }): Promise<void> {
  const [allPolicies, allProfiles] = await Promise.all([readPolicies(admin), readProfiles(admin)]);
  if (allPolicies.some(({ name }) => policies.includes(name))) await admin.put('/client-policies/policies', { policies: allPolicies.filter(({ name }) => !policies.includes(name)) });
  if (allProfiles.some(({ name }) => profiles.includes(name))) await admin.put('/client-policies/profiles', { profiles: allProfiles.filter(({ name }) => !profiles.includes(name)) });
}
