/**
 * What must not share an origin with an app in production, by the name of its setting: a script that somebody injects into the app
 * would act there as the person who looks at it (SECURITY.md 25).
 */
export function sharedOriginFaults(apps: readonly string[], others: Readonly<Record<string, string | undefined>>): readonly string[] {
  const taken = new Set(apps.map((address) => new URL(address).origin));
  return Object.entries(others)
    .filter(([, address]) => address !== undefined && taken.has(new URL(address).origin))
    .map(([name]) => `${name}: must have an origin of its own in production, not that of an app: a script in the app could act there as the person`);
}
