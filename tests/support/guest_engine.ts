import { type AbiState, GuestAbi } from "../../src/engines/lguest/guest_abi.ts";
import {
  type RegisterChanges,
  type RegisterName,
  REGISTERS,
  type Registers,
} from "../../src/core/ports/guest_registers.ts";
import { RunLoop } from "../../src/engines/lguest/run_loop.ts";
import type { Vcpu, VcpuExit } from "../../src/engines/lguest/vcpu.ts";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import type {
  GuestEngine,
  GuestExit,
  GuestIdentity,
  GuestImage,
  GuestStart,
  Rings,
} from "../../src/core/ports/guest_engine.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { FakeClock } from "./clock.ts";
import { stepScript } from "./guest_script.ts";

/** A vCPU in plain memory. It fails on an access outside it, which the ABI must never make. */
export class FakeVcpu implements Vcpu {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly values = new Map<RegisterName, number>(REGISTERS.map((name) => [name, 0]));

  constructor(readonly memoryBytes: number) {
    this.memory = new Uint8Array(memoryBytes);
    this.values.set("cs", 0x08).set("ss", 0x10).set("flags", 2);
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    this.#require(at, length);
    return this.memory.slice(at, at + length);
  }

  write(at: number, bytes: Uint8Array): void {
    this.#require(at, bytes.length);
    this.memory.set(bytes, at);
  }

  readU32(at: number): number {
    return new DataView(this.read(at, 4).buffer).getUint32(0, true);
  }

  writeU32(at: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.write(at, bytes);
  }

  get(register: RegisterName): number {
    return this.values.get(register) ?? 0;
  }

  set(register: RegisterName, value: number): void {
    this.values.set(register, value >>> 0);
  }

  enterKernel(stackSegment: number): void {
    this.values.set("cs", 0x08).set("ss", stackSegment);
  }

  #require(at: number, length: number): void {
    if (at < 0 || at + length > this.memoryBytes) {
      throw new RangeError(`access to ${length} bytes at ${at} of ${this.memoryBytes}`);
    }
  }
}

type Step = (vcpu: FakeVcpu) => VcpuExit | undefined;

const call = (vcpu: FakeVcpu, next: number, registers: Partial<Record<RegisterName, number>>) => {
  for (const [name, value] of Object.entries(registers)) vcpu.set(name as RegisterName, value);
  vcpu.set("ip", next);
  return { reason: "doorbell" } as const;
};

/** examples/guests/hello.S, one step an address. */
const HELLO: Record<number, Step> = {
  0x1000: (vcpu) => {
    vcpu.set("sp", 0x5000);
    return call(vcpu, 0x1001, { ax: 1, bx: 0x2000 });
  },
  0x1001: (vcpu) => call(vcpu, 0x1002, { ax: 6, bx: 33, cx: 0x1010, dx: 0x8e00 }),
  0x1002: (vcpu) => {
    vcpu.writeU32(0x2000, 0x200);
    return call(vcpu, 0x1003, { ax: 17, bx: 0x600d, cx: vcpu.readU32(0x2024) });
  },
  0x1003: (vcpu) => call(vcpu, 0x1003, { ax: 10 }),
  0x1010: (vcpu) => {
    vcpu.writeU32(0x3000, vcpu.readU32(0x3000) + 1);
    return call(vcpu, 0x1011, { ax: 17, bx: vcpu.readU32(0x3000), cx: vcpu.readU32(0x2024) });
  },
  0x1011: (vcpu) => {
    vcpu.writeU32(0x2000, 0x200);
    const sp = vcpu.get("sp");
    vcpu.set("ip", vcpu.readU32(sp));
    vcpu.set("flags", vcpu.readU32(sp + 8));
    vcpu.set("sp", sp + 12);
    return undefined;
  },
};

const SPIN: Record<number, Step> = {
  0x1000: (vcpu) => {
    vcpu.set("cx", vcpu.get("cx") + 1);
    return { reason: "slice" };
  },
};

const SHUTDOWN: Record<number, Step> = {
  0x1000: (vcpu) => call(vcpu, 0x1001, { ax: 1, bx: 0x2000 }),
  0x1001: (vcpu) => call(vcpu, 0x1002, { ax: 2, bx: 0x3000, cx: vcpu.get("di") }),
};

const HLT: Record<number, Step> = {
  0x1000: (vcpu) => {
    vcpu.set("ip", 0x1001);
    return { reason: (vcpu.get("flags") & 0x200) === 0 ? "halt" : "idle" };
  },
};

/** Programs of the fake engine, by the byte that stands for each at 0x1000. */
const PROGRAMS: Record<number, Record<number, Step>> = {
  1: HELLO,
  2: SPIN,
  3: SHUTDOWN,
  4: HLT,
};

/** What a contract test loads at 0x1000 to get a program. */
export interface ContractPrograms {
  /** hello.S. */
  readonly hello: Uint8Array;
  /** Counts in cx for ever. */
  readonly spin: Uint8Array;
  /** Executes something that is no instruction. */
  readonly crash: Uint8Array;
  /** Calls LGUEST_INIT(0x2000), then SHUTDOWN(0x3000, edi). */
  readonly shutdown: Uint8Array;
  /** Executes HLT. */
  readonly hlt: Uint8Array;
}

/** The programs of {@linkcode FakeEngine}. */
export const FAKE_PROGRAMS: ContractPrograms = {
  hello: Uint8Array.of(1),
  spin: Uint8Array.of(2),
  crash: Uint8Array.of(0xff),
  shutdown: Uint8Array.of(3),
  hlt: Uint8Array.of(4),
};

/**
 * An engine without a thread: the real ABI and run loop over a vCPU whose programs are tables of
 * functions. Its time moves by a millisecond a slice, and on when the guest sleeps.
 */
export class FakeEngine implements GuestEngine {
  readonly name = "v86";
  readonly clock = new FakeClock();
  #vcpu = new FakeVcpu(0);
  #abi: GuestAbi | undefined;
  #loop: RunLoop | undefined;
  #notified: (rings: Rings) => void = () => {};
  #cancelled = Promise.withResolvers<never>();
  closed = 0;
  /** Whether it answers nothing until it is closed. */
  silent = false;
  /** What the next call is to reject with. */
  failing: SystemError | undefined;

  constructor() {
    this.#cancelled.promise.catch(() => {});
  }

  async initialize({ memoryBytes, start, load, identity }: GuestStart): Promise<void> {
    await this.#turn();
    this.#make(memoryBytes, identity);
    for (const { at, bytes } of load) this.#vcpu.write(at, bytes);
    this.#abi?.start(start);
  }

  async restore(image: GuestImage, identity: GuestIdentity): Promise<void> {
    await this.#turn();
    this.#make(image.memoryBytes, identity);
    for (const [index, page] of image.pages.entries()) {
      const from = index * PAGE_BYTES;
      this.#vcpu.write(page * PAGE_BYTES, image.bytes.subarray(from, from + PAGE_BYTES));
    }
    for (const [name, value] of image.vcpu as [RegisterName, number][]) {
      this.#vcpu.values.set(name, value);
    }
    if (image.abi !== undefined) this.#abi?.restore(image.abi as AbiState);
  }

  #make(memoryBytes: number, identity: GuestIdentity): void {
    this.#vcpu = new FakeVcpu(memoryBytes);
    this.#abi = new GuestAbi(this.#vcpu, identity, this.clock);
    this.#loop = new RunLoop(
      {
        wallNs: () => this.clock.wallNs(),
        monotonicMs: () => this.clock.monotonicMs(),
        idle: async (ms) => {
          if (Number.isFinite(ms)) this.clock.advance(ms);
          await new Promise((resolve) => setTimeout(resolve, 0));
        },
        wake: () => {},
        notified: (rings) => this.#notified(rings),
      },
      this.#abi,
      () => this.#slice(),
    );
  }

  #slice(): VcpuExit {
    this.clock.advance(1);
    for (let steps = 0; steps < 100; steps++) {
      const ip = this.#vcpu.get("ip");
      const program = PROGRAMS[this.#vcpu.memory[0x1000] ?? 0];
      const step = program === undefined ? stepScript : program[ip];
      if (step === undefined) {
        return { reason: "crash", detail: `unhandled trap 6 at 0x${ip.toString(16)}` };
      }
      const left = step(this.#vcpu);
      if (left !== undefined) return left;
    }
    return { reason: "slice" };
  }

  async #turn(): Promise<void> {
    await Promise.resolve();
    if (this.silent) await this.#cancelled.promise;
    this.#requireUsable();
  }

  #requireUsable(): void {
    if (this.failing !== undefined) throw this.failing;
    if (this.closed > 0) throw new SystemError("ECANCELED", "call", "the fake engine");
  }

  async run(budgetMs: number): Promise<GuestExit> {
    this.#requireUsable();
    const loop = this.#loop as RunLoop;
    return await Promise.race([loop.run(budgetMs), this.#cancelled.promise]);
  }

  interrupt(): void {
    this.#loop?.interrupt();
  }

  raise(line: number): void {
    this.#loop?.raise(line);
  }

  // deno-lint-ignore require-await -- it is done at once, before a run that is asked for next
  async attach(address: number): Promise<void> {
    this.#requireUsable();
    this.#abi?.doorbells.attach(address);
  }

  // deno-lint-ignore require-await -- it is done at once, before a run that is asked for next
  async detach(address: number): Promise<void> {
    this.#requireUsable();
    this.#abi?.doorbells.detach(address);
  }

  onNotified(listener: (rings: Rings) => void): void {
    this.#notified = listener;
  }

  // deno-lint-ignore require-await -- it is done at once, before a run that is asked for next
  async identify(identity: GuestIdentity): Promise<void> {
    this.#requireUsable();
    this.#abi?.identify(identity);
  }

  async registers(): Promise<Registers> {
    await this.#turn();
    return Object.fromEntries(
      [...this.#vcpu.values].map(([name, value]) => [name, BigInt(value)]),
    ) as Registers;
  }

  async setRegisters(changes: RegisterChanges): Promise<void> {
    await this.#turn();
    for (const [name, value] of Object.entries(changes)) {
      this.#vcpu.set(name as RegisterName, Number(value));
    }
  }

  async read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    await this.#turn();
    return this.#vcpu.read(at, length);
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    await this.#turn();
    this.#vcpu.write(at, bytes);
  }

  serve(): void {}

  send(): Promise<void> {
    return Promise.reject(new SystemError("ENODEV", "send", "the fake engine"));
  }

  async capture(): Promise<GuestImage> {
    await this.#turn();
    const { memory, memoryBytes } = this.#vcpu;
    const pages = Array.from({ length: memoryBytes / PAGE_BYTES }, (_, page) => page)
      .filter((page) =>
        memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES).some((byte) => byte !== 0)
      );
    const bytes = new Uint8Array(pages.length * PAGE_BYTES);
    for (const [index, page] of pages.entries()) {
      bytes.set(memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), index * PAGE_BYTES);
    }
    return {
      engine: this.name,
      memoryBytes,
      vcpu: [...this.#vcpu.values],
      abi: (this.#abi as GuestAbi).state,
      pages: Uint32Array.from(pages),
      bytes,
      devices: new Uint8Array(),
    };
  }

  close(): void {
    this.closed++;
    this.#loop?.interrupt();
    this.#cancelled.reject(new SystemError("ECANCELED", "run", "the fake engine"));
  }
}
