import type { MountedFile, OpenFile, ReadCall } from "../node.ts";

/** What makes a file of text. */
interface TextFileOptions {
  readonly path: string;
  readonly text: () => string;
  readonly timeNs: () => bigint;
  /** @throws {Refusal} when the caller may not read it */
  readonly allow: (call: ReadCall | Parameters<MountedFile["open"]>[0]) => void;
}

const encoder = new TextEncoder();

/** A file of text that is made when it is read from its start. */
export function textFile({ path, text, timeNs, allow }: TextFileOptions): MountedFile {
  return {
    kind: "file",
    path,
    permissions: 0o444,
    timeNs,
    size: () => encoder.encode(text()).byteLength,
    open(call) {
      allow(call);
      return new OpenText(text);
    },
    reopen: () => new OpenText(text),
  };
}

class OpenText implements OpenFile {
  readonly #text: () => string;
  #bytes: Uint8Array | undefined;

  constructor(text: () => string) {
    this.#text = text;
  }

  read({ offset, size }: ReadCall): Uint8Array {
    if (offset === 0n || this.#bytes === undefined) this.#bytes = encoder.encode(this.#text());
    const start = Number(offset);
    return this.#bytes.subarray(start, start + size);
  }
}
