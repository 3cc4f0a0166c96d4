/** A message of the FUSE device that cannot be read. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
