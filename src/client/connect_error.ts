/** No connection can be made with what was given. Trying again does not help. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
}
