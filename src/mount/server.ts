import { ERRNO } from "../core/errno.ts";
import { MOUNT_READ_BYTES, NAME_CHARS_MAX, PAGE_BYTES } from "../core/limits.ts";
import { S_IFDIR, S_IFREG } from "../core/file_type.ts";
import { O_NONBLOCK, POLLIN, POLLRDNORM } from "../native/constants.ts";
import { GONE } from "./files/gone_file.ts";
import type { MountJournal } from "./journal.ts";
import type {
  Call,
  MountedEntry,
  MountedFile,
  MountedFolder,
  OpenFile,
  Outcome,
  Reopening,
} from "./node.ts";
import { firstNumber, inodeNumber, Nodes } from "./nodes.ts";
import { isSpoken, negotiate } from "./protocol/negotiation.ts";
import { FOLDER_CHANGES, FOPEN } from "./protocol/numbers.ts";
import {
  type Attributes,
  attributesReply,
  bytesReply,
  type DirectoryEntry,
  DirectoryReply,
  entryReply,
  failureReply,
  initReply,
  ioctlReply,
  openReply,
  pollReply,
  pollWakeup,
  statfsReply,
  writeReply,
} from "./protocol/reply.ts";
import { answerableUnique, decodeRequest, firstUnique, type Request } from "./protocol/request.ts";
import { errnoOf, Refusal } from "./refusal.ts";

type Message = Uint8Array<ArrayBuffer>;
/** The form of request that an operation has. */
type RequestOf<Op extends Request["op"], Form = Request> = Form extends { readonly op: infer Ops }
  ? Op extends Ops ? Form : never
  : never;

/** What the server needs from outside. */
interface ServerParts {
  readonly root: MountedFolder;
  readonly journal: MountJournal;
  readonly uid: number;
  readonly gid: number;
  /** Sends a message to the kernel. @returns The errno where it was not taken */
  readonly send: (message: Message) => string | undefined;
  /**
   * Whether a thread is one of this process. What such a thread asks for is refused: the daemon must
   * not wait for itself (docs/mount.md#8).
   */
  readonly isOwnCall: (thread: number) => boolean;
  /** A mistake of ours: what was asked is answered EIO. */
  readonly onError: (error: unknown) => void;
}

interface Handle {
  readonly file: OpenFile;
  /** By which the kernel wants to be notified that the file is ready. */
  poll: bigint | undefined;
}

/** What a call on a path begins with. Nothing of the mount is open in this process. */
const PATH_CALLS: ReadonlySet<Request["op"]> = new Set(
  ["lookup", "getattr", "setattr", "open", "opendir", "statfs", "unknown"] as const,
);

/** Serves the requests of one mounted file system. It does nothing that waits. */
export class MountServer {
  readonly #parts: ServerParts;
  readonly #nodes: Nodes;
  readonly #handles = new Map<bigint, Handle>();
  readonly #folders = new Map<bigint, readonly DirectoryEntry[]>();
  /** Requests that are not answered yet. */
  readonly #waiting = new Map<bigint, AbortController>();
  readonly #counts = new Map<string, number>();
  #lastHandle: bigint;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#nodes = new Nodes(parts.root, parts.journal);
    this.#lastHandle = firstNumber(parts.journal.epoch);
  }

  /** The refusal of a request of this process itself; `undefined` for every other one. */
  static refusalOf(message: Message, who: Pick<ServerParts, "isOwnCall">): Message | undefined {
    // One that cannot be read is refused by whoever serves it.
    if (answerableUnique(message) === undefined) return undefined;
    const request = decodeRequest(message);
    return isOwn(request, who) ? refusal(request) : undefined;
  }

  /** Goes on with the files that are open since an earlier process served the mount. */
  async restore(): Promise<void> {
    for (const [handle, { node, file: saved, poll }] of [...this.#parts.journal.handles]) {
      const own = { wake: () => this.#wake(handle), acked: this.#ackedOf(handle) };
      this.#handles.set(handle, { file: await this.#reopen({ node, saved, ...own }), poll });
    }
    // Whatever became ready meanwhile, nobody was told.
    for (const handle of this.#handles.keys()) this.#wake(handle);
  }

  async #reopen(reopening: Reopening): Promise<OpenFile> {
    try {
      return await this.#fileAt(reopening.node).reopen(reopening);
    } catch (error) {
      if (errnoOf(error) === undefined) this.#parts.onError(error);
      return GONE;
    }
  }

  #ackedOf(handle: bigint): (epoch: bigint) => void {
    return (epoch) => this.#parts.journal.acked(handle, epoch);
  }

  /** How many requests of each operation were received. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** What the kernel has in hand. */
  get open(): { readonly nodes: number; readonly handles: number; readonly waiting: number } {
    return {
      nodes: this.#nodes.count,
      handles: this.#handles.size,
      waiting: this.#waiting.size,
    };
  }

  /**
   * Takes one request.
   *
   * @param message Good until the next one
   * @throws {ProtocolError}
   */
  receive(message: Message): void {
    const request = this.#decode(message);
    this.#counts.set(request.op, (this.#counts.get(request.op) ?? 0) + 1);
    if (isOwn(request, this.#parts)) return this.#send(refusal(request));
    switch (request.op) {
      case "forget":
        return this.#forget(request);
      case "interrupt":
        return this.#waiting.get(request.target)?.abort();
      case "read":
        return this.#answer(request, (call) => this.#read(request, call), bytesReply);
      case "write":
        return this.#answer(request, (call) => this.#write(request, call), writeReply);
      case "ioctl":
        return this.#answer(request, (call) => this.#ioctl(request, call), ioctlReply);
      case "poll":
        return this.#answer(request, () => this.#poll(request), pollReply);
      case "open":
        return this.#open(request);
      case "release":
        return this.#release(request);
      case "lookup":
        return this.#lookUp(request);
      case "getattr":
      case "setattr":
        // Changes are ignored, as a device ignores them: O_TRUNC is one.
        return this.#answer(request, () => this.#attributes(request), attributesReply);
      default:
        return this.#receiveRare(request);
    }
  }

  /** Answers whatever still waits with EINTR. Files stay open: nobody has closed them. */
  interruptAll(): void {
    for (const controller of [...this.#waiting.values()]) controller.abort();
  }

  /** The mount is dead: no file of it can reach us any more. */
  lose(): void {
    this.interruptAll();
    const files = [...this.#handles.values()].map(({ file }) => file);
    this.#handles.clear();
    for (const file of files) (file.lose ?? file.close)?.call(file);
  }

  #decode(message: Message): Request {
    try {
      return decodeRequest(message);
    } catch (error) {
      const unique = answerableUnique(message);
      if (unique !== undefined) this.#send(failureReply(unique, ERRNO.EPROTO));
      throw error;
    }
  }

  #receiveRare(request: Request): void {
    const { unique } = request;
    switch (request.op) {
      case "opendir":
        return this.#answer(request, (call) => this.#openFolder(request, call), openReply);
      case "readdir":
        return this.#answer(request, (call) => this.#readFolder(request, call), bytesReply);
      case "releasedir":
        this.#folders.delete(request.handle);
        return this.#send(bytesReply(unique));
      case "init":
        if (!isSpoken(request)) return this.#send(failureReply(unique, ERRNO.EPROTO));
        return this.#send(initReply(unique, negotiate(request)));
      case "statfs": {
        const room = { blockBytes: PAGE_BYTES, nameBytesMax: NAME_CHARS_MAX };
        return this.#send(statfsReply(unique, room));
      }
      case "flush":
      case "destroy":
        return this.#send(bytesReply(unique));
      case "unknown": {
        const errno = FOLDER_CHANGES.has(request.opcode) ? ERRNO.EPERM : ERRNO.ENOSYS;
        return this.#send(failureReply(unique, errno));
      }
    }
  }

  /**
   * Answers a request now or later; an error by its errno.
   *
   * @param onLost Called when nobody waits for the answer any more: what it says never happened
   */
  #answer<Value>(
    request: Request,
    run: (call: Call) => Outcome<Value>,
    encode: (unique: bigint, value: Value) => Message,
    onLost?: () => void,
  ): void {
    const { unique } = request;
    const succeed = (value: Value): void => {
      this.#waiting.delete(unique);
      if (this.#parts.send(encode(unique, value)) !== undefined) onLost?.();
      this.#parts.journal.done(firstUnique(unique));
    };
    const fail = (error: unknown): void => {
      this.#waiting.delete(unique);
      const errno = errnoOf(error);
      if (errno === undefined) this.#parts.onError(error);
      this.#parts.send(failureReply(unique, errno ?? ERRNO.EIO));
      this.#parts.journal.done(firstUnique(unique));
    };
    try {
      const outcome = run(this.#callOf(request));
      if (outcome instanceof Promise) outcome.then(succeed).catch(fail);
      else succeed(outcome);
    } catch (error) {
      fail(error);
    }
  }

  /** Most calls never look at their signal, so it is made when they do. */
  #callOf({ unique, uid, gid, pid }: Request): Call {
    const waiting = this.#waiting;
    return {
      unique: firstUnique(unique),
      uid,
      gid,
      pid,
      get signal(): AbortSignal {
        const controller = waiting.get(unique) ?? new AbortController();
        waiting.set(unique, controller);
        return controller.signal;
      },
    };
  }

  #send(message: Message): void {
    this.#parts.send(message);
  }

  #forget({ nodes }: RequestOf<"forget">): void {
    for (const { node, lookups } of nodes) {
      this.#nodes.forget(node, lookups);
    }
  }

  #lookUp(request: RequestOf<"lookup">): void {
    let node = 0n;
    const run = (call: Call): MountedEntry => {
      const entry = this.#folderAt(request.node).lookup(request.name, call);
      if (entry === undefined) throw new Refusal("ENOENT");
      return entry;
    };
    this.#answer(request, run, (unique, entry) => {
      const attributes = this.#attributesOf(entry);
      node = this.#nodes.lookUp(entry, request.pid);
      return entryReply(unique, node, attributes);
    }, () => this.#nodes.forget(node, 1n));
  }

  #attributes({ node }: Request): Attributes {
    return this.#attributesOf(this.#nodes.get(node));
  }

  #attributesOf(entry: MountedEntry): Attributes {
    const { uid, gid } = this.#parts;
    const isFolder = entry.kind === "folder";
    return {
      ino: entry.path === "/" ? 1n : inodeNumber(entry.path),
      size: isFolder ? 0 : entry.size(),
      mode: isFolder ? S_IFDIR | 0o555 : S_IFREG | entry.permissions,
      links: isFolder ? 2 : 1,
      uid,
      gid,
      timeNs: entry.timeNs(),
    };
  }

  #open(request: RequestOf<"open">): void {
    const { node, flags } = request;
    const handle = ++this.#lastHandle;
    const isFresh = this.#nodes.takeFresh(node, request.pid);
    const wake = (): void => this.#wake(handle);
    const run = (call: Call): Outcome<OpenFile> => {
      const { uid, gid, pid } = call;
      const whole = {
        unique: call.unique,
        uid,
        gid,
        pid,
        node,
        isFresh,
        flags,
        wake,
        acked: this.#ackedOf(handle),
        get signal() {
          return call.signal;
        },
      };
      return this.#fileAt(node).open(whole);
    };
    this.#answer(request, run, (unique, file) => {
      this.#handles.set(handle, { file, poll: undefined });
      this.#parts.journal.opened(handle, node, { backing: file.backing, ...file.saved?.() });
      const mapped = file.backing === undefined ? 0 : FOPEN.passthrough;
      // Without noFlush an idle program could not end while no daemon serves.
      const open = FOPEN.directIo | FOPEN.noFlush | mapped;
      return openReply(unique, { handle, flags: open, backing: file.backing });
    }, () => this.#close(handle));
  }

  #release({ unique, handle }: RequestOf<"release">): void {
    this.#close(handle);
    this.#send(bytesReply(unique));
  }

  #close(handle: bigint): void {
    const { file } = this.#handles.get(handle) ?? {};
    this.#handles.delete(handle);
    this.#parts.journal.closed(handle);
    file?.close?.();
  }

  #read({ handle, offset, size, flags }: RequestOf<"read">, call: Call): Outcome<Uint8Array> {
    const nonblocking = (flags & O_NONBLOCK) !== 0;
    const { uid, gid, pid } = call;
    const range = { offset, size, nonblocking };
    const whole = {
      unique: call.unique,
      uid,
      gid,
      pid,
      ...range,
      get signal() {
        return call.signal;
      },
    };
    return this.#handle(handle).file.read(whole);
  }

  #write({ handle, bytes }: RequestOf<"write">, call: Call): Outcome<number> {
    const { file } = this.#handle(handle);
    if (file.write === undefined) throw new Refusal("EBADF");
    return file.write(bytes, call);
  }

  #ioctl({ handle, command, argument }: RequestOf<"ioctl">, call: Call): Outcome<number> {
    const { file } = this.#handle(handle);
    if (file.ioctl === undefined) throw new Refusal("ENOTTY");
    return file.ioctl(command, argument, call);
  }

  #poll({ handle: number, notify }: RequestOf<"poll">): number {
    const handle = this.#handle(number);
    if (handle.file.poll === undefined) return POLLIN | POLLRDNORM;
    if (notify !== undefined) {
      handle.poll = notify;
      this.#parts.journal.polled(number, notify);
    }
    return handle.file.poll();
  }

  #wake(number: bigint): void {
    const handle = this.#handles.get(number);
    if (handle?.poll === undefined) return;
    // The kernel asks anew whether the file is ready, and gives the poll handle again.
    this.#send(pollWakeup(handle.poll));
    handle.poll = undefined;
  }

  #openFolder({ node }: Request, call: Call): { handle: bigint; flags: number } {
    const entries = this.#list(node, call);
    const handle = ++this.#lastHandle;
    this.#folders.set(handle, entries);
    return { handle, flags: 0 };
  }

  #list(node: bigint, call: Call): readonly DirectoryEntry[] {
    const folder = this.#folderAt(node);
    return folder.list(call).map(({ name, kind }) => ({
      name,
      isFolder: kind === "folder",
      ino: inodeNumber(`${folder.path === "/" ? "" : folder.path}/${name}`),
    }));
  }

  #readFolder({ node, handle, offset, size }: RequestOf<"readdir">, call: Call): Uint8Array {
    // A folder that an earlier process has opened is listed anew.
    const entries = this.#folders.get(handle) ?? this.#list(node, call);
    this.#folders.set(handle, entries);
    const reply = new DirectoryReply(Math.min(size, MOUNT_READ_BYTES));
    for (let index = Number(offset); index < entries.length; index++) {
      if (!reply.add(entries[index] as DirectoryEntry, BigInt(index + 1))) break;
    }
    return reply.bytes;
  }

  #handle(number: bigint): Handle {
    const handle = this.#handles.get(number);
    if (handle === undefined) throw new Refusal("EBADF");
    return handle;
  }

  #folderAt(node: bigint): MountedFolder {
    const entry = this.#nodes.get(node);
    if (entry.kind !== "folder") throw new Refusal("ENOTDIR");
    return entry;
  }

  #fileAt(node: bigint): MountedFile {
    const entry = this.#nodes.get(node);
    if (entry.kind !== "file") throw new Refusal("EISDIR");
    return entry;
  }
}

function isOwn(request: Request, who: Pick<ServerParts, "isOwnCall">): boolean {
  return PATH_CALLS.has(request.op) && who.isOwnCall(request.pid);
}

function refusal({ unique }: Request): Message {
  return failureReply(unique, ERRNO.EDEADLK);
}
