import { assert, assertEquals } from "@std/assert";
import { IdeDisk } from "../../../src/engines/v86/ide_disk.ts";

const [READ, WRITE, FLUSH, IDENTIFY] = [0xc8, 0xca, 0xe7, 0xec];
const [BUSY, READY, ERROR] = [0x80, 0x40, 0x01];

/** A drive as v86 makes it: sealed, with its commands in the prototype. */
class FakeDrive {
  status_reg = READY;
  readonly data = new Uint8Array(512);
  readonly channel = { dma_status: 1 };
  readonly done: number[] = [];
  irqs = 0;
  cancelled = 0;

  constructor() {
    Object.seal(this);
  }

  ata_command(code: number): void {
    this.done.push(code);
  }

  ata_abort_command(): void {
    this.status_reg = READY | ERROR;
    this.push_irq();
  }

  cancel_io_operations(): void {
    this.cancelled++;
  }

  push_irq(): void {
    this.irqs++;
  }
}

function bench(readOnly = false) {
  const calls: string[] = [];
  const pending: PromiseWithResolvers<void>[] = [];
  const wait = (what: string): Promise<void> => {
    calls.push(what);
    const one = Promise.withResolvers<void>();
    pending.push(one);
    return one.promise;
  };
  const disk = new IdeDisk({ sizeBytes: 4096, readOnly }, {
    read: async (at, length) => {
      await wait(`read ${at} ${length}`);
      return new Uint8Array(length).fill(7);
    },
    write: (at, bytes) => wait(`write ${at} ${bytes.length} ${bytes[0]}`),
    flush: () => wait("flush"),
  });
  const drive = new FakeDrive();
  disk.plug(drive);
  const settle = async (error?: Error): Promise<void> => {
    const one = pending.shift();
    if (error === undefined) one?.resolve();
    else one?.reject(error);
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return { disk, drive, calls, settle };
}

Deno.test("IdeDisk answers a flush only when its host has done it", async () => {
  const { drive, calls, settle } = bench();
  drive.ata_command(FLUSH);
  assertEquals([calls, drive.done, drive.irqs], [["flush"], [], 0]);
  assert((drive.status_reg & BUSY) !== 0);
  await settle();
  assertEquals([drive.status_reg & (BUSY | ERROR), drive.irqs], [0, 1]);
});

Deno.test("IdeDisk ends a command that its host cannot do with an error", async () => {
  const { disk, drive, settle } = bench();
  let isAnswered = false;
  disk.get(0, 512, () => isAnswered = true);
  await settle(new Error("EIO"));
  assertEquals([isAnswered, drive.status_reg & ERROR, drive.irqs], [false, ERROR, 1]);
  assertEquals([drive.channel.dma_status & 1, drive.cancelled], [0, 1]);
  drive.ata_command(FLUSH);
  await settle(new Error("ENOSPC"));
  assertEquals([drive.status_reg & ERROR, drive.irqs], [ERROR, 2]);
});

Deno.test("IdeDisk aborts writes of a read-only disk and lets everything else through", () => {
  const { drive, calls } = bench(true);
  for (const code of [0x30, 0x34, 0x35, 0x39, 0xc5, WRITE]) drive.ata_command(code);
  assertEquals([drive.done, drive.irqs, calls], [[], 6, []]);
  drive.ata_command(READ);
  assertEquals(drive.done, [READ]);
  const writable = bench();
  writable.drive.ata_command(WRITE);
  assertEquals(writable.drive.done, [WRITE]);
});

Deno.test("IdeDisk says that it has a write cache, so that it is asked to flush", () => {
  const { drive } = bench();
  drive.ata_command(IDENTIFY);
  assertEquals([drive.data[2 * 82], drive.data[2 * 85]], [0x20, 0x20]);
  const other = new FakeDrive();
  other.ata_command(IDENTIFY);
  assertEquals(other.data[2 * 82], 0);
});

Deno.test("IdeDisk.underWay waits for all that is under way; what is written is a copy", async () => {
  const { disk, calls, settle } = bench();
  const bytes = new Uint8Array(512).fill(1);
  let written = 0;
  disk.set(512, bytes, () => written++);
  bytes.fill(2);
  let isQuiet = false;
  const quiet = disk.underWay.none().then(() => isQuiet = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([isQuiet, calls], [false, ["write 512 512 1"]]);
  await settle();
  await quiet;
  assertEquals(written, 1);
  await disk.underWay.none();
});

Deno.test("IdeDisk takes the command that a guest gives as soon as it has its answer", async () => {
  const { disk, calls, settle } = bench();
  disk.get(0, 512, () => disk.set(512, new Uint8Array(512), () => disk.get(1024, 512, () => {})));
  await settle();
  await settle();
  await settle();
  assertEquals(calls, ["read 0 512", "write 512 512 0", "read 1024 512"]);
});
