/** Claims of the ID token that an identity header asks for, each as a list of texts; null where there are none. */
export type KeptClaims = Readonly<Record<string, readonly string[]>> | null;

/** A name with dots leads into objects where the token has no claim of that very name: `resource_access.app.roles`. */
export function keptClaims(claims: Readonly<Record<string, unknown>>, names: readonly string[]): KeptClaims {
  const found = names.map((name) => [name, texts(claimOf(claims, name))] as const).filter(([, values]) => values.length > 0);
  return found.length > 0 ? Object.fromEntries(found) : null;
}

function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split('.').reduce<unknown>((inside, part) => (typeof inside === 'object' && inside !== null && Object.hasOwn(inside, part) ? (inside as Record<string, unknown>)[part] : undefined), claims);
}

function texts(value: unknown): string[] {
  return [value].flat().flatMap((one) => (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean' ? [String(one)] : []));
}
