import type { GuestExit, GuestIdentity, GuestImage } from "../../core/ports/guest_engine.ts";
import type { RegisterChanges, Registers } from "../../core/ports/guest_registers.ts";
import type { SerialLine } from "../../core/ports/pc_devices.ts";
import type { Cpu } from "./cpu.ts";
import { allRegisters, setRegister } from "./registers.ts";

/** Name of this engine in images and answers. */
export const ENGINE = "v86";

/** A guest of either kind on v86, inside its Worker. Its methods have the names of the port's. */
export abstract class GuestOnThread {
  protected readonly cpu: Cpu;

  constructor(cpu: Cpu) {
    this.cpu = cpu;
  }

  abstract run(budgetMs: number): Promise<GuestExit>;
  abstract interrupt(): void;
  abstract raise(line: number): void;
  abstract attach(address: number): void;
  abstract detach(address: number): void;
  abstract identify(identity: GuestIdentity): void;
  abstract capture(): GuestImage | Promise<GuestImage>;
  /** Resolves when the guest's end of the line has taken all bytes. */
  abstract send(line: SerialLine, bytes: Uint8Array): Promise<void>;
  /** The host has taken what the guest wrote to a line. */
  abstract heard(line: SerialLine): void;

  registers(): Registers {
    return allRegisters(this.cpu);
  }

  setRegisters(changes: RegisterChanges): void {
    for (const [name, value] of Object.entries(changes)) {
      setRegister(this.cpu, name as keyof RegisterChanges, Number(value));
    }
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    return this.cpu.mem8.slice(at, at + length);
  }

  write(at: number, bytes: Uint8Array): void {
    // Forgets compiled code of these pages too.
    this.cpu.write_blob(bytes, at);
  }
}
