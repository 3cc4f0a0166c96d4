/** An accepted connection, as the host has it beside Deno. */
export interface HostSocket {
  /**
   * Looks at the bytes that have come and are not read yet, and leaves them there.
   *
   * @returns How many are in `into` now: 0 when no more will come, `undefined` when none have yet
   */
  peek(into: Uint8Array<ArrayBuffer>): number | undefined;
  /** How many bytes have come over it, read or not; `undefined` where the host does not count. */
  receivedBytes(): bigint | undefined;
  /**
   * Ends it both ways at once. What is on its way is dropped, and memory that waits for it is freed.
   * Nothing happens when it is closed already.
   */
  shutdown(): void;
}

/** Finds accepted connections among the descriptors of this process. */
export interface HostSockets {
  /** The connection of a descriptor. */
  of(descriptor: number): HostSocket;
  /** The descriptor that the next connection gets, unless another file is opened before. */
  nextDescriptor(): number;
  /**
   * The newest connection that was accepted at a unix socket.
   *
   * @param path Where the socket is
   * @param likely Is looked at first
   */
  acceptedAt(path: string, likely: number): HostSocket | undefined;
}
