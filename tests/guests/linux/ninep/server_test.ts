import { assert, assertEquals } from "@std/assert";
import { NINEP_FIDS_MAX, NINEP_MESSAGE_BYTES_MAX } from "../../../../src/core/limits.ts";
import type { NamePath, SharedNode, SharedTree } from "../../../../src/core/ports/shared_tree.ts";
import { SystemError } from "../../../../src/core/system_error.ts";
import { MessageReader, MessageWriter } from "../../../../src/guests/linux/ninep/codec.ts";
import { GuestTree } from "../../../../src/guests/linux/ninep/guest_tree.ts";
import { NinepServer } from "../../../../src/guests/linux/ninep/server.ts";
import { SeededRandom, testSeed } from "../../../support/random.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (of: Uint8Array): string => new TextDecoder().decode(of);

/** A share in memory, by paths as text. */
class MemoryTree implements SharedTree {
  readonly files = new Map<string, string>([["hello", "hello world"], ["folder/deep", "deep"]]);
  /** Every path that was requested. */
  readonly requested: string[] = [];

  // deno-lint-ignore require-await -- a throw is to be a rejection
  async node(path: NamePath): Promise<SharedNode> {
    const where = path.map(text).join("/");
    this.requested.push(where);
    const content = this.files.get(where);
    const isFolder = [...this.files.keys()].some((file) => file.startsWith(`${where}/`));
    if (content === undefined && !isFolder && where !== "") {
      throw new SystemError("ENOENT", "find", where);
    }
    return {
      mode: content === undefined ? 0o040755 : 0o100644,
      device: 7n,
      inode: BigInt(100 + [...this.files.keys()].indexOf(where)),
      uid: 1000,
      gid: 1000,
      links: 1,
      sizeBytes: BigInt(content?.length ?? 0),
      usageBytes: 4096n,
      accessTimeNs: 1n,
      modificationTimeNs: 1_700_000_000_000_000_001n,
      statusChangeTimeNs: 1n,
    };
  }

  names(): Promise<{ name: Uint8Array; inode: bigint; type: number }[]> {
    return Promise.resolve(
      [...this.files.keys()].filter((file) => !file.includes("/")).map((file, index) => ({
        name: bytes(file),
        inode: BigInt(100 + index),
        type: 0o100000,
      })),
    );
  }

  link(): Promise<Uint8Array> {
    return Promise.resolve(bytes("hello"));
  }

  read(path: NamePath, _node: unknown, at: bigint, length: number) {
    const content = bytes(this.files.get(path.map(text).join("/")) ?? "");
    return Promise.resolve(content.slice(Number(at), Number(at) + length));
  }
}

const T = { lopen: 12, getattr: 24, readdir: 40, version: 100, attach: 104, walk: 110, read: 116 };
const [CLUNK, WRITE, UNLINKAT, ERROR] = [120, 118, 76, 7];

class Client {
  readonly share = new MemoryTree();
  identity = { generation: 7, epoch: 12n, unique: "ab".repeat(16) };
  server = new NinepServer(new GuestTree(() => this.identity, this.share));

  async request(type: number, body: MessageWriter): Promise<MessageReader> {
    const reply = new MessageReader(await this.server.answer(body.message(type, 5)));
    assertEquals(reply.tag, 5);
    return reply;
  }

  /** The error number that a message is answered with, 0 for none. */
  async errno(type: number, body: MessageWriter): Promise<number> {
    const reply = await this.request(type, body);
    return reply.type === ERROR ? reply.u32() : 0;
  }

  static async attached(): Promise<Client> {
    const client = new Client();
    const version = await client.request(
      T.version,
      new MessageWriter().u32(1 << 20).text(bytes("9P2000.L")),
    );
    assertEquals([version.u32(), text(version.text())], [NINEP_MESSAGE_BYTES_MAX, "9P2000.L"]);
    const attach = new MessageWriter().u32(0).u32(0xffff_ffff).text(bytes("")).text(bytes("/"));
    assertEquals(await client.errno(T.attach, attach.u32(0)), 0);
    return client;
  }

  walk(from: number, to: number, ...names: string[]): MessageWriter {
    const body = new MessageWriter().u32(from).u32(to).u16(names.length);
    for (const name of names) body.text(bytes(name));
    return body;
  }

  async read(fid: number, at = 0n, length = 1000): Promise<string> {
    const reply = await this.request(T.read, new MessageWriter().u32(fid).u64(at).u32(length));
    assertEquals(reply.type, T.read + 1);
    const count = reply.u32();
    return text(reply.message.subarray(11, 11 + count));
  }
}

Deno.test("NinepServer walks to a file and reads it, from an offset on", async () => {
  const client = await Client.attached();
  assertEquals(await client.errno(T.walk, client.walk(0, 1, "folder", "deep")), 0);
  assertEquals(await client.errno(T.lopen, new MessageWriter().u32(1).u32(0)), 0);
  assertEquals([await client.read(1), await client.read(1, 2n), await client.read(1, 9n)], [
    "deep",
    "ep",
    "",
  ]);
  const attributes = await client.request(T.getattr, new MessageWriter().u32(1).u64(0x7ffn));
  assertEquals(attributes.message.length, 160);
  assertEquals(await client.errno(CLUNK, new MessageWriter().u32(1)), 0);
  assertEquals(await client.errno(CLUNK, new MessageWriter().u32(1)), 9);
});

Deno.test("NinepServer tells how far a walk came, and moves the fid only at its end", async () => {
  const client = await Client.attached();
  const partly = await client.request(T.walk, client.walk(0, 1, "folder", "nothing"));
  assertEquals([partly.type, partly.u16()], [T.walk + 1, 1]);
  assertEquals(await client.errno(T.getattr, new MessageWriter().u32(1).u64(0n)), 9);
  assertEquals(await client.errno(T.walk, client.walk(0, 1, "nothing")), 2);
  assertEquals(await client.errno(T.walk, client.walk(0, 1, ...Array(17).fill("folder"))), 22);
  assertEquals(await client.errno(T.walk, client.walk(0, 0, "folder")), 0);
  assertEquals(await client.errno(T.walk, client.walk(0, 1, "deep")), 0);
});

Deno.test("NinepServer never leaves its tree, however it is asked", async () => {
  const client = await Client.attached();
  assertEquals(await client.errno(T.walk, client.walk(0, 1, "..", "..", "hello")), 0);
  assertEquals(await client.read(1), "hello world");
  for (const name of ["a/b", "/etc/passwd", "", "a\0b"]) {
    assertEquals(await client.errno(T.walk, client.walk(0, 2, name)), 22, name);
  }
  assert(client.share.requested.every((path) => !path.split("/").includes("..")));
});

Deno.test("NinepServer refuses every change", async () => {
  const client = await Client.attached();
  await client.errno(T.walk, client.walk(0, 1, "hello"));
  for (const flags of [1, 2, 0o1101]) {
    assertEquals(await client.errno(T.lopen, new MessageWriter().u32(1).u32(flags)), 30);
  }
  for (const type of [WRITE, UNLINKAT, 14, 16, 18, 20, 26, 70, 72, 74, 122]) {
    assertEquals(await client.errno(type, new MessageWriter().u32(1)), 30, `type ${type}`);
  }
  assertEquals(await client.errno(30, new MessageWriter().u32(1)), 95);
});

Deno.test("NinepServer lists a folder in portions that fit", async () => {
  const client = await Client.attached();
  for (let file = 0; file < 200; file++) client.share.files.set(`file-${file}`, "");
  const found: string[] = [];
  for (let from = 0n;;) {
    const body = new MessageWriter().u32(0).u64(from).u32(500);
    const reply = await client.request(T.readdir, body);
    const count = reply.u32();
    assert(count <= 500);
    if (count === 0) break;
    const entries = new MessageReader(reply.message.subarray(11 - 7));
    for (let at = 0; at < count;) {
      entries.u32();
      entries.u32();
      entries.u16();
      entries.u16();
      // 13 bytes of the qid, read as 4 + 4 + 2 + 2 + 1.
      const view = new DataView(reply.message.buffer);
      from = view.getBigUint64(11 + at + 13, true);
      const length = view.getUint16(11 + at + 22, true);
      found.push(text(reply.message.subarray(11 + at + 24, 11 + at + 24 + length)));
      at += 24 + length;
    }
  }
  assertEquals(found.length, 202);
  assertEquals(found.slice(0, 2), [".innkeeper", "hello"]);
  assertEquals(new Set(found).size, 202);
});

Deno.test("NinepServer shows the identity as it is at each read, also without a share", async () => {
  const client = await Client.attached();
  assertEquals(await client.errno(T.walk, client.walk(0, 1, ".innkeeper", "identity")), 0);
  assertEquals(await client.read(1), `generation=7\nepoch=12\nunique=${"ab".repeat(16)}\n`);
  client.identity = { ...client.identity, generation: 8 };
  assert((await client.read(1)).startsWith("generation=8\n"));
  assertEquals(await client.errno(T.walk, client.walk(0, 2, ".innkeeper", "hello")), 0);
  assertEquals(await client.errno(T.getattr, new MessageWriter().u32(2).u64(0n)), 9);
  const alone = await Client.attached();
  alone.server = new NinepServer(new GuestTree(() => client.identity, undefined));
  await alone.errno(T.attach, new MessageWriter().u32(0).u32(0).text(bytes("")).text(bytes("")));
  assertEquals(await alone.errno(T.walk, alone.walk(0, 1, ".innkeeper", "identity")), 0);
  assertEquals(await alone.errno(T.walk, alone.walk(0, 2, "hello")), 2);
});

Deno.test("NinepServer gives a clone its fids, and says when another file is there now", async () => {
  const client = await Client.attached();
  await client.errno(T.walk, client.walk(0, 1, "hello"));
  const clone = new Client();
  clone.server.image = JSON.parse(JSON.stringify(client.server.image));
  assertEquals(await clone.read(1), "hello world");
  clone.share.files.clear();
  clone.share.files.set("new", "").set("hello", "other");
  assertEquals(await clone.errno(T.getattr, new MessageWriter().u32(1).u64(0n)), 116);
});

Deno.test("NinepServer keeps a bounded number of fids", async () => {
  const client = await Client.attached();
  for (let fid = 1; fid < NINEP_FIDS_MAX; fid++) {
    await client.server.answer(client.walk(0, fid).message(T.walk, 0));
  }
  assertEquals(await client.errno(T.walk, client.walk(0, NINEP_FIDS_MAX)), 24);
  assertEquals(await client.errno(T.walk, client.walk(0, 1, "hello")), 0);
});

Deno.test("NinepServer answers every message, whatever is in it", async () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const client = await Client.attached();
  for (let round = 0; round < 3000; round++) {
    const message = new Uint8Array(random.bytes(7 + random.below(60)));
    message[4] = random.pick([8, 12, 22, 24, 40, 100, 104, 108, 110, 116, 120, random.below(256)]);
    const reply = await client.server.answer(message);
    assert(reply.length >= 7 && reply.length <= NINEP_MESSAGE_BYTES_MAX, `seed ${seed}`);
    assertEquals([reply[5], reply[6]], [message[5], message[6]]);
  }
  await client.server.answer(new Uint8Array());
});
