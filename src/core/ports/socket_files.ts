/** A file of the host, told apart from every other one, also from one that takes its name later. */
export interface SocketNode {
  readonly device: string;
  readonly inode: string;
}

/** The files of sockets, by which programs of the host connect. */
export interface SocketFiles {
  /**
   * The socket at a path; `undefined` when there is nothing.
   *
   * @throws {SystemError} ENOTSOCK when it is something else
   */
  nodeAt(path: string): SocketNode | undefined;
  /**
   * Moves a socket on its file system. It never takes the place of another file.
   *
   * @throws {SystemError} EEXIST, EXDEV on another file system, ENOENT, EACCES
   */
  move(from: string, to: string): void;
  /** Removes the file of a socket if it is this one. */
  remove(path: string, which: SocketNode): void;
}
