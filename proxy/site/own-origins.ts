/**
 * What must not share an origin with an app, or billing with Keycloak either, in production, by the name of its setting: a script that
 * somebody injects into the app would act there as the person who looks at it (SECURITY.md 25).
 */
export function sharedOriginFaults(taken: readonly string[], others: Readonly<Record<string, string | undefined>>): readonly string[] {
  const origins = new Set(taken.map((address) => new URL(address).origin));
  return Object.entries(others)
    .filter(([, address]) => address !== undefined && origins.has(new URL(address).origin))
    .map(([name]) => `${name}: must have an origin of its own in production: a script that gets into a page of an app could act there as the person`);
}
