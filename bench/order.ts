/** In an order drawn anew, so that whatever else the machine does falls on all of them. */
export function shuffled<T>(items: readonly T[]): T[] {
  return items.map((item) => ({ item, place: Math.random() })).sort((a, b) => a.place - b.place).map(({ item }) => item);
}
