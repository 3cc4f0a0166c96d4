/**
 * One page of a list that is sorted by its items' keys. The cursor is the key of the last item of
 * the page before, so items that come and go in between do not move the others.
 *
 * @param items Sorted ascending by `keyOf`
 * @param seq Number of the last event before the list was read
 * @param query How many items at most, and the key after which to go on
 */
export function pageOf<Item, View>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  view: (item: Item) => View,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  seq: number | undefined,
): { items: View[]; next: string | undefined; seq: number | undefined } {
  const rest = cursor === undefined ? items : items.filter((item) => keyOf(item) > cursor);
  const page = rest.slice(0, limit);
  const last = rest.length > limit ? page.at(-1) : undefined;
  return { items: page.map(view), next: last === undefined ? undefined : keyOf(last), seq };
}
