/**
 * etcd through its JSON gateway: put, and watch as a stream.
 *
 * @module
 */

/** A key that was put, as a watch tells it. */
export interface Put {
  readonly key: string;
  readonly value: string;
}

interface WatchAnswer {
  readonly result?: {
    readonly created?: boolean;
    readonly events?: readonly { readonly kv: { readonly key: string; readonly value?: string } }[];
  };
}

/** Puts a key. */
export async function put(base: string, key: string, value: string): Promise<void> {
  const response = await fetch(`${base}/v3/kv/put`, {
    method: "POST",
    body: JSON.stringify({ key: btoa(key), value: btoa(value) }),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`etcd answered ${response.status}`);
}

/**
 * Calls back on every put of a key, or of all keys of a prefix.
 *
 * @param rangeEnd The key after the last of the prefix; the key alone when it is left out
 * @returns When the watch is in force
 */
export async function watch(
  base: string,
  key: string,
  onPut: (put: Put) => void,
  rangeEnd?: string,
): Promise<void> {
  const response = await fetch(`${base}/v3/watch`, {
    method: "POST",
    body: JSON.stringify({
      create_request: {
        key: btoa(key),
        ...(rangeEnd === undefined ? {} : { range_end: btoa(rangeEnd) }),
      },
    }),
  });
  const texts = response.body?.pipeThrough(new TextDecoderStream());
  if (!response.ok || texts === undefined) throw new Error(`etcd answered ${response.status}`);
  const created = Promise.withResolvers<void>();
  void read(texts, ({ result }) => {
    if (result?.created === true) created.resolve();
    for (const { kv } of result?.events ?? []) {
      onPut({ key: atob(kv.key), value: atob(kv.value ?? "") });
    }
  }).catch(created.reject);
  await created.promise;
}

async function read(
  texts: ReadableStream<string>,
  onAnswer: (answer: WatchAnswer) => void,
): Promise<void> {
  let rest = "";
  for await (const text of texts) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onAnswer(JSON.parse(line));
  }
}
