import type { HttpClient } from "../client/http_client.ts";

const PAGE_ITEMS = "1000";

type Query = Readonly<Record<string, string | undefined>>;

/** A path of the API. What is put into it is encoded. */
export function path(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return String.raw({ raw: parts }, ...names.map(encodeURIComponent));
}

/** A path with those parameters that have a value. */
export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given as [string, string][])}`;
}

/** Fetches every page of a list. */
export async function fetchAll<Item>(
  client: HttpClient,
  path: string,
  query: Query = {},
): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const next = withQuery(path, { ...query, limit: PAGE_ITEMS, cursor });
    const { body } = await client.request<{ items: Item[]; next?: string }>("GET", next);
    items.push(...body.items);
    cursor = body.next;
  }
  return items;
}

/** The lines of a table: its head, and a line for each row. */
export function tableOf<Row>(
  head: string,
  rows: readonly Row[],
  cells: (row: Row) => readonly (string | number)[],
): string[] {
  return [head, ...rows.map((row) => cells(row).join("  "))];
}
