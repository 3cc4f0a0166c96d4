import { HYPERCALL } from "../../src/engines/lguest/hypercalls.ts";
import type { VcpuExit } from "../../src/engines/lguest/vcpu.ts";
import type { RegisterName } from "../../src/core/ports/guest_registers.ts";
import type { FakeVcpu } from "./guest_engine.ts";

/** Where scripts are loaded and start. */
export const SCRIPT_AT = 0x1000;
/** The data page of scripts. */
export const DATA = 0x2000;
/** Where scripts have their ring of queued hypercalls. */
export const RING = 0x4000;
/** What the handlers of scripts notify, plus their line. */
export const HANDLED = 0x100;

const STACK_TOP = 0x8000;
const GDT = 0x3f00;
const GDT_REGISTER = 0x3ff0;
const RING_SLOTS = 64;

const u32 = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/**
 * Machine code for the cases of the guest ABI, made of a dozen instructions that both a real
 * engine and {@linkcode stepScript} can run.
 */
export class Script {
  readonly #bytes: number[] = [];

  /** Address of the next instruction. */
  get here(): number {
    return SCRIPT_AT + this.#bytes.length;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }

  /** Makes a hypercall. */
  call(number: number, bx = 0, cx = 0, dx = 0): this {
    const registers = [[0xbb, bx], [0xb9, cx], [0xba, dx], [0xb8, number]] as const;
    for (const [opcode, value] of registers) this.#bytes.push(opcode, ...u32(value >>> 0));
    this.#bytes.push(0xe7, 0x1f);
    return this;
  }

  notify(address: number): this {
    return this.call(HYPERCALL.NOTIFY, address);
  }

  /** Writes a word of memory. */
  store(at: number, value: number): this {
    this.#bytes.push(0xc7, 0x05, ...u32(at), ...u32(value >>> 0));
    return this;
  }

  /** Counts in ecx for ever. */
  spin(): this {
    this.#bytes.push(0x41, 0xeb, 0xfd);
    return this;
  }

  /** Sets up the stack, the segments that iret loads, and the data page. */
  begin(): this {
    this.#bytes.push(0xbc, ...u32(STACK_TOP));
    this.store(GDT + 8, 0xffff).store(GDT + 12, 0x00cf_9b00);
    this.store(GDT + 16, 0xffff).store(GDT + 20, 0x00cf_9300);
    this.store(GDT_REGISTER, (GDT << 16 | 23) >>> 0).store(GDT_REGISTER + 4, GDT >>> 16);
    this.#bytes.push(0x0f, 0x01, 0x15, ...u32(GDT_REGISTER));
    return this.call(HYPERCALL.LGUEST_INIT, DATA);
  }

  enable(): this {
    return this.store(DATA, 0x200);
  }

  /** Sets a handler that notifies HANDLED + line and returns with interrupts enabled. */
  handle(line: number, type: "E" | "F" = "E"): this {
    // The handler stands here, jumped over.
    const handler = this.here + 5;
    const after = new Script();
    after.notify(HANDLED + line).enable();
    const body = [...after.bytes, 0xcf];
    this.#bytes.push(0xe9, ...u32(body.length), ...body);
    const high = type === "E" ? 0x8e00 : 0x8f00;
    return this.call(HYPERCALL.LOAD_IDT_ENTRY, 32 + line, handler, high);
  }

  /** Queues hypercalls, from the first slot on. */
  queue(...calls: readonly (readonly number[])[]): this {
    for (let slot = 0; slot < RING_SLOTS; slot += 4) this.store(RING + slot, 0xffff_ffff);
    const status = new Uint32Array(1).fill(0xffff_ffff);
    new Uint8Array(status.buffer).fill(0, 0, calls.length);
    this.store(RING, status[0] as number);
    for (const [slot, call] of calls.entries()) {
      for (const [word, value] of call.entries()) {
        this.store(RING + RING_SLOTS + slot * 20 + word * 4, value);
      }
    }
    return this.store(DATA + 20, RING);
  }
}

const REGISTER: readonly RegisterName[] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

/** Runs one instruction of a {@linkcode Script} on the fake vCPU. */
export function stepScript(vcpu: FakeVcpu): VcpuExit | undefined {
  const ip = vcpu.get("ip");
  const word = (offset: number): number => vcpu.readU32(ip + offset);
  const next = (length: number): void => vcpu.set("ip", ip + length);
  const [opcode = 0] = vcpu.read(ip, 1);
  if (opcode >= 0xb8 && opcode <= 0xbf) {
    vcpu.set(REGISTER[opcode - 0xb8] as RegisterName, word(1));
    return void next(5);
  }
  switch (opcode) {
    case 0x41:
      vcpu.set("cx", vcpu.get("cx") + 1);
      return void next(1);
    case 0xc7:
      vcpu.writeU32(word(2), word(6));
      return void next(10);
    case 0xe9:
      return void vcpu.set("ip", ip + 5 + word(1));
    case 0xeb:
      vcpu.set("ip", ip + 2 + ((word(1) << 24) >> 24));
      return { reason: "slice" };
    case 0xe7:
      next(2);
      return { reason: "doorbell" };
    case 0xcf: {
      const sp = vcpu.get("sp");
      vcpu.set("ip", vcpu.readU32(sp));
      vcpu.set("flags", vcpu.readU32(sp + 8));
      return void vcpu.set("sp", sp + 12);
    }
    case 0x0f:
      if ((word(0) & 0xff00) === 0x0100) return void next(7);
  }
  return { reason: "crash", detail: `unhandled trap 6 at 0x${ip.toString(16)}` };
}
