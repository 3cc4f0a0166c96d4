const encoder = new TextEncoder();

/** Writes all of a text or of bytes; a pipe may take them in pieces. */
export function write(
  stream: { writeSync(bytes: Uint8Array): number },
  data: string | Uint8Array,
): void {
  let rest = typeof data === "string" ? encoder.encode(data) : data;
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}
