/**
 * A small file system that is not part of this process. Its files are as long as anybody wants, and
 * storage never answers for those whose names begin with `stuck`: they are found and opened, but
 * nobody reads or writes them. To close one takes a while, and no longer: the kernel lets no process
 * end before that was answered.
 *
 * @module
 */
import { negotiate } from "../../src/mount/protocol/negotiation.ts";
import * as reply from "../../src/mount/protocol/reply.ts";
import { decodeRequest, type Request } from "../../src/mount/protocol/request.ts";
import { FuseDevice } from "../../src/native/fuse_device.ts";
import { Libc } from "../../src/native/libc.ts";
import { ERRNO } from "../../src/core/errno.ts";

const FILE_BYTES = 16 * 1024 * 1024;
const ROOT = 1n;
const POLL_MS = 1;
const LINE = "mounted";
const CLOSE_MS = 20;

/** Mounts it and answers until SIGTERM. */
async function serve(folder: string): Promise<void> {
  const libc = Libc.open();
  const device = FuseDevice.mount(libc, { folder, uid: 0, gid: 0, others: true });
  const names: string[] = [];
  let isOver = false;
  Deno.addSignalListener("SIGTERM", () => isOver = true);
  Deno.stdout.writeSync(new TextEncoder().encode(LINE));
  while (!isOver) {
    const message = device.read();
    if (message === "gone") return;
    if (message === undefined) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    else {
      const request = decodeRequest(message);
      const answer = answerTo(request, names);
      if (answer === undefined) continue;
      if (request.op === "flush") setTimeout(() => device.send(answer), CLOSE_MS);
      else device.send(answer);
    }
  }
  device.close();
}

function answerTo(request: Request, names: string[]): Uint8Array<ArrayBuffer> | undefined {
  const { unique, node } = request;
  const isStuck = names[Number(node) - 2]?.startsWith("stuck") ?? false;
  switch (request.op) {
    case "init":
      return reply.initReply(unique, negotiate(request));
    case "lookup": {
      if (!names.includes(request.name)) names.push(request.name);
      const found = BigInt(names.indexOf(request.name) + 2);
      return reply.entryReply(unique, found, attributesOf(found));
    }
    case "getattr":
    case "setattr":
      return reply.attributesReply(unique, attributesOf(node));
    case "open":
    case "opendir":
      return reply.openReply(unique, { handle: node, flags: 0 });
    case "read":
      return isStuck ? undefined : reply.bytesReply(unique, new Uint8Array(request.size).fill(7));
    case "write":
      return isStuck ? undefined : reply.writeReply(unique, request.bytes.byteLength);
    case "forget":
      return undefined;
    case "interrupt":
      // Only the end of a process interrupts its calls: without this it could not end at all.
      return reply.failureReply(request.target, ERRNO.EINTR);
    case "flush":
    case "release":
    case "releasedir":
      return reply.bytesReply(unique);
    default:
      return reply.failureReply(unique, ERRNO.ENOSYS);
  }
}

function attributesOf(ino: bigint): reply.Attributes {
  const mode = ino === ROOT ? 0o40755 : 0o100644;
  return { ino, size: ino === ROOT ? 0 : FILE_BYTES, mode, links: 1, uid: 0, gid: 0, timeNs: 1n };
}

/** Such a file system, mounted in a temporary folder. Disposing of it lets everybody go who waits. */
export class StuckDisk implements AsyncDisposable {
  private constructor(readonly folder: string, readonly process: Deno.ChildProcess) {}

  static async mount(): Promise<StuckDisk> {
    const folder = await Deno.makeTempDir({ prefix: "innkeeper-stuck-" });
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--cached-only", import.meta.filename ?? "", folder],
      stdout: "piped",
    }).spawn();
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await reader.read();
    if (!value.startsWith(LINE)) throw new Error(`the stuck disk is not mounted: ${value}`);
    await reader.cancel();
    return new StuckDisk(folder, process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGTERM");
    await this.process.status;
    await Deno.remove(this.folder);
  }
}

if (import.meta.main) await serve(Deno.args[0] ?? "");
