import { concat } from "@std/bytes";
import { Fault } from "../../core/faults.ts";
import { BYTES_BODY_BYTES_MAX, SPOOL_BYTES_MIN } from "../../core/limits.ts";
import type { Spool, Spools } from "../../core/ports/spool.ts";
import { SystemError } from "../../core/system_error.ts";
import { type ByteSource, sourceOf } from "../backing/byte_source.ts";

/** A body that has arrived whole. Dispose of it after use. */
export interface Upload extends ByteSource, Disposable {}

/**
 * Receives a body. Nothing of it is written before all of it is there, so a body that breaks off
 * changes nothing. Only a part of a long one is in memory at a time.
 *
 * @param expected How many bytes it must have, where that is known
 * @throws {Fault} `wrong-length` also when it breaks off, `body-too-large`, `state-unavailable`
 */
export async function receiveUpload(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  spools: Spools | undefined,
  expected?: bigint,
): Promise<Upload> {
  const limit = expected ?? BigInt(BYTES_BODY_BYTES_MAX);
  if (limit > BigInt(BYTES_BODY_BYTES_MAX)) throw tooLarge(limit);
  const inMemory: Uint8Array<ArrayBuffer>[] = [];
  let spool: Spool | undefined;
  let bytes = 0;
  try {
    for await (const chunk of chunksOf(body)) {
      bytes += chunk.byteLength;
      if (BigInt(bytes) > limit) {
        throw expected === undefined ? tooLarge(limit) : wrong(limit, bytes);
      }
      if (spool === undefined && bytes > SPOOL_BYTES_MIN && spools !== undefined) {
        spool = await spools.create();
        for (const earlier of inMemory.splice(0)) await spool.append(earlier);
      }
      if (spool === undefined) inMemory.push(chunk);
      else await spool.append(chunk);
    }
    if (expected !== undefined && BigInt(bytes) !== expected) throw wrong(expected, bytes);
  } catch (error) {
    spool?.close();
    if (!(error instanceof SystemError)) throw error;
    throw new Fault("state-unavailable", `Cannot keep the body: ${error.message}`, {
      cause: error,
    });
  }
  const source = spool ?? sourceOf(concat(inMemory));
  return {
    byteLength: source.byteLength,
    parts: () => source.parts(),
    [Symbol.dispose]: () => spool?.close(),
  };
}

async function* chunksOf(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (body === null) return;
  try {
    yield* body;
  } catch (error) {
    if (error instanceof Fault) throw error;
    // The client went away, but whoever reads on its behalf may still want to know.
    throw new Fault("wrong-length", "Cannot read the body: it broke off", { cause: error });
  }
}

function tooLarge(bytes: bigint): Fault {
  return new Fault(
    "body-too-large",
    `Cannot take ${bytes} bytes or more at once: write ranges of at most ${BYTES_BODY_BYTES_MAX}`,
  );
}

function wrong(expected: bigint, bytes: number): Fault {
  return new Fault(
    "wrong-length",
    `Cannot write the range: it names ${expected} bytes and the body has ${bytes} or more`,
  );
}
