import {
  BATCH_FORGET_IN,
  FORGET_IN,
  FORGET_ONE,
  IN_HEADER,
  INIT_IN,
  INIT_IN_EXT,
  INTERRUPT_IN,
  IOCTL_IN,
  OPEN_IN,
  POLL_IN,
  READ_IN,
  RELEASE_IN,
  WRITE_IN,
} from "./layout.ts";
import { INIT, IOCTL_COMPAT, OPCODE, POLL_SCHEDULE_NOTIFY } from "./numbers.ts";
import { ProtocolError } from "./protocol_error.ts";

/** Who makes a request, and which node it is about. */
export interface RequestHead {
  readonly unique: bigint;
  readonly node: bigint;
  readonly uid: number;
  readonly gid: number;
  /** The thread that calls; 0 when it cannot be seen from here. */
  readonly pid: number;
}

/** A request of the kernel. */
export type Request =
  & RequestHead
  & (
    | {
      readonly op: "init";
      readonly major: number;
      readonly minor: number;
      readonly flags: bigint;
      readonly maxReadahead: number;
    }
    | { readonly op: "lookup"; readonly name: string }
    | {
      readonly op: "forget";
      readonly nodes: readonly { readonly node: bigint; readonly lookups: bigint }[];
    }
    | { readonly op: "open" | "opendir"; readonly flags: number }
    | {
      readonly op: "read" | "readdir";
      readonly handle: bigint;
      readonly offset: bigint;
      readonly size: number;
      /** The open file's flags as they are now (F_SETFL changes O_NONBLOCK). */
      readonly flags: number;
    }
    | {
      readonly op: "write";
      readonly handle: bigint;
      readonly offset: bigint;
      readonly flags: number;
      /** A view of the message: it is good until the next message is read. */
      readonly bytes: Uint8Array<ArrayBuffer>;
    }
    | {
      readonly op: "ioctl";
      readonly handle: bigint;
      readonly command: number;
      /** Passed by value; a 32-bit program's is 32 bits wide. */
      readonly argument: bigint;
    }
    | {
      readonly op: "poll";
      readonly handle: bigint;
      /** Name by which the kernel wants to be notified; `undefined` when it does not. */
      readonly notify: bigint | undefined;
    }
    | { readonly op: "release" | "releasedir"; readonly handle: bigint }
    | { readonly op: "interrupt"; readonly target: bigint }
    | { readonly op: "getattr" | "setattr" | "statfs" | "flush" | "destroy" }
    | { readonly op: "unknown"; readonly opcode: number }
  );

type Body<R> = R extends unknown ? Omit<R, keyof RequestHead> : never;

/** Requests that have no answer. */
const UNANSWERED: ReadonlySet<number> = new Set([
  OPCODE.forget,
  OPCODE.batchForget,
  OPCODE.interrupt,
]);

const decoder = new TextDecoder();

/**
 * Reads one message of the FUSE device.
 *
 * @param bytes The message and nothing else; a write's bytes stay views of it
 * @throws {ProtocolError} when it is torn, too long or malformed
 */
export function decodeRequest(bytes: Uint8Array<ArrayBuffer>): Request {
  const whole = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = IN_HEADER.decode(whole, 0);
  const bodyEnd = header.len - header.totalExtlen * 8;
  if (header.len !== bytes.byteLength || bodyEnd < IN_HEADER.bytes) {
    throw new ProtocolError(
      `Cannot read a request of ${header.len} bytes (${header.totalExtlen * 8} of extensions): ` +
        `${bytes.byteLength} were received`,
    );
  }
  const body = bytes.subarray(IN_HEADER.bytes, bodyEnd);
  const { unique, nodeid, uid, gid, pid } = header;
  return { unique, node: nodeid, uid, gid, pid, ...decodeBody(header.opcode, header.nodeid, body) };
}

/** The number that a request had when it came first: one that comes again has bit 63 set. */
export function firstUnique(unique: bigint): bigint {
  return BigInt.asUintN(63, unique);
}

/**
 * The number by which a message that cannot be read is answered, so that its caller does not wait for
 * ever; `undefined` when nobody waits for it or the message does not say it.
 */
export function answerableUnique(bytes: Uint8Array<ArrayBuffer>): bigint | undefined {
  if (bytes.byteLength < IN_HEADER.bytes) return undefined;
  const { opcode, unique } = IN_HEADER.decode(
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    0,
  );
  return UNANSWERED.has(opcode) ? undefined : unique;
}

function decodeBody(
  opcode: number,
  node: bigint,
  body: Uint8Array<ArrayBuffer>,
): Body<Request> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  switch (opcode) {
    case OPCODE.init:
      return decodeInit(view);
    case OPCODE.lookup:
      return { op: "lookup", name: decodeName(body) };
    case OPCODE.forget: {
      const { nlookup } = FORGET_IN.decode(view, 0);
      return { op: "forget", nodes: [{ node, lookups: nlookup }] };
    }
    case OPCODE.batchForget:
      return decodeBatchForget(view);
    case OPCODE.open:
    case OPCODE.opendir: {
      const { flags } = OPEN_IN.decode(view, 0);
      return { op: opcode === OPCODE.open ? "open" : "opendir", flags };
    }
    case OPCODE.read:
      return { op: "read", ...decodeRead(view) };
    case OPCODE.readdir:
      return { op: "readdir", ...decodeRead(view) };
    case OPCODE.write:
      return decodeWrite(view, body);
    case OPCODE.ioctl: {
      const { fh, flags, cmd, arg } = IOCTL_IN.decode(view, 0);
      const argument = (flags & IOCTL_COMPAT) === 0 ? arg : BigInt.asUintN(32, arg);
      return { op: "ioctl", handle: fh, command: cmd, argument };
    }
    case OPCODE.poll: {
      const { fh, kh, flags } = POLL_IN.decode(view, 0);
      const notify = (flags & POLL_SCHEDULE_NOTIFY) === 0 ? undefined : kh;
      return { op: "poll", handle: fh, notify };
    }
    case OPCODE.release:
      return { op: "release", handle: RELEASE_IN.decode(view, 0).fh };
    case OPCODE.releasedir:
      return { op: "releasedir", handle: RELEASE_IN.decode(view, 0).fh };
    case OPCODE.interrupt:
      return { op: "interrupt", target: INTERRUPT_IN.decode(view, 0).unique };
    default:
      return decodeBare(opcode);
  }
}

/** Requests of which the head is all that is used. */
function decodeBare(opcode: number): Body<Request> {
  switch (opcode) {
    case OPCODE.getattr:
      return { op: "getattr" };
    case OPCODE.setattr:
      return { op: "setattr" };
    case OPCODE.statfs:
      return { op: "statfs" };
    case OPCODE.flush:
      return { op: "flush" };
    case OPCODE.destroy:
      return { op: "destroy" };
    default:
      return { op: "unknown", opcode };
  }
}

function decodeInit(view: DataView): Body<Request> {
  const { major, minor, flags, maxReadahead } = INIT_IN.decode(view, 0);
  const isExtended = (BigInt(flags) & INIT.initExt) !== 0n;
  const { flags2 } = isExtended ? INIT_IN_EXT.decode(view, INIT_IN.bytes) : { flags2: 0 };
  return { op: "init", major, minor, maxReadahead, flags: BigInt(flags) | BigInt(flags2) << 32n };
}

function decodeRead(
  view: DataView,
): { handle: bigint; offset: bigint; size: number; flags: number } {
  const { fh, offset, size, flags } = READ_IN.decode(view, 0);
  return { handle: fh, offset, size, flags };
}

function decodeWrite(view: DataView, body: Uint8Array<ArrayBuffer>): Body<Request> {
  const { fh, offset, size, flags } = WRITE_IN.decode(view, 0);
  const bytes = body.subarray(WRITE_IN.bytes);
  if (bytes.byteLength !== size) {
    throw new ProtocolError(
      `Cannot read a write of ${size} bytes: ${bytes.byteLength} are there`,
    );
  }
  return { op: "write", handle: fh, offset, flags, bytes };
}

function decodeBatchForget(view: DataView): Body<Request> {
  const { count } = BATCH_FORGET_IN.decode(view, 0);
  const room = Math.floor((view.byteLength - BATCH_FORGET_IN.bytes) / FORGET_ONE.bytes);
  if (count > room) {
    throw new ProtocolError(`Cannot read ${count} forgotten nodes: ${room} are there`);
  }
  const nodes = Array.from({ length: count }, (_, index) => {
    const { nodeid, nlookup } = FORGET_ONE.decode(
      view,
      BATCH_FORGET_IN.bytes + index * FORGET_ONE.bytes,
    );
    return { node: nodeid, lookups: nlookup };
  });
  return { op: "forget", nodes };
}

/** A name up to its zero byte. Bytes that are not UTF-8 name nothing here. */
function decodeName(body: Uint8Array<ArrayBuffer>): string {
  const end = body.indexOf(0);
  if (end < 0) throw new ProtocolError(`Cannot read a name of ${body.byteLength} bytes: no end`);
  return decoder.decode(body.subarray(0, end));
}
