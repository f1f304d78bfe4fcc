/** As Keycloak keeps them: lists in no order, empty texts dropped. */
export function same(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) return Array.isArray(live) && JSON.stringify(sorted(live)) === JSON.stringify(sorted(wanted));
  return JSON.stringify(live ?? '') === JSON.stringify(wanted ?? '');
}

/** The fields of `wanted` that `live` has otherwise. */
export function differing(live: Readonly<Record<string, unknown>>, wanted: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(wanted).filter((field) => !same(live[field], wanted[field]));
}

export function shown(value: unknown): string {
  if (value === undefined || value === '') return '(none)';
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.map(shown).join(', ') || '(none)' : JSON.stringify(value);
}

function sorted(list: readonly unknown[]): string[] {
  return list.map((one) => JSON.stringify(one)).toSorted();
}
