/**
 * One page of a list that is sorted by its items' keys. The cursor is the key of the last item of
 * the page before, so items that come and go in between move no other.
 *
 * @param items Sorted ascending by `keyOf`
 * @param cursor Where to go on: only items with a greater key
 */
export function pageOf<Item, View>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  view: (item: Item) => View,
  limit: number,
  cursor: string | undefined,
): { items: View[]; next?: string } {
  const rest = cursor === undefined ? items : items.filter((item) => keyOf(item) > cursor);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(view),
    ...(rest.length > limit && last !== undefined ? { next: keyOf(last) } : {}),
  };
}
