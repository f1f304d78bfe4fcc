const MOST_KEPT = 10_000;
const texts = new Map<string, string>();
const lists = new Map<string, readonly string[]>();

/** What is the same for many people is in memory once, however many sessions have it: sites, roles, groups. */
export function oneCopy(text: string): string {
  return kept(texts, text, text);
}

export function oneCopyOfList(list: readonly string[]): readonly string[] {
  return kept(lists, JSON.stringify(list), list);
}

function kept<Value>(copies: Map<string, Value>, key: string, value: Value): Value {
  const copy = copies.get(key);
  if (copy !== undefined) return copy;
  if (copies.size < MOST_KEPT) copies.set(key, value);
  return value;
}
