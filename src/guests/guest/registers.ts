import { Fault } from "../../core/faults.ts";
import { U32_MAX } from "../../core/limits.ts";
import {
  type RegisterChanges,
  type RegisterName,
  REGISTERS,
  type Registers,
  WRITABLE_REGISTERS,
  type WritableRegister,
} from "../../core/ports/guest_registers.ts";
import type { StoppedGuest } from "./stopped.ts";

/** The registers of a guest that does not run, by lguest's names (docs/guests.md#lguest). */
export class GuestRegisters {
  readonly #guest: StoppedGuest;

  constructor(guest: StoppedGuest) {
    this.#guest = guest;
  }

  /** @throws {Fault} `guest-dead`, `wrong-state` */
  async all(): Promise<Registers> {
    this.#guest.requireStopped();
    return await this.#guest.request((engine) => engine.registers());
  }

  /** @throws {Fault} `guest-dead`, `wrong-state`, `register-unknown` */
  async get(name: string): Promise<bigint> {
    this.#guest.requireStopped();
    const known = registerToRead(name);
    return (await this.all())[known];
  }

  /**
   * Sets registers, all or none.
   *
   * @throws {Fault} `guest-dead`, `wrong-state`, and as {@linkcode registersToWrite}
   */
  async set(values: ReadonlyMap<string, bigint>): Promise<void> {
    this.#guest.requireChangeable();
    const changes = registersToWrite(values);
    await this.#guest.request((engine) => engine.setRegisters(changes));
    this.#guest.changed({ registers: Object.keys(changes) });
  }
}

/** @throws {Fault} `register-unknown` */
export function registerToRead(name: string): RegisterName {
  if (isOneOf(REGISTERS, name)) return name;
  throw new Fault(
    "register-unknown",
    `Cannot find register "${name.slice(0, 40)}": there are ${REGISTERS.join(", ")}`,
  );
}

/**
 * New register values, all of them allowed. Unlike in lguest, a register that cannot be written
 * and one that does not exist are different faults.
 *
 * @throws {Fault} `register-unknown`, `register-read-only`, `value-not-allowed` above 2^32 - 1
 */
export function registersToWrite(values: ReadonlyMap<string, bigint>): RegisterChanges {
  const changes: Partial<Record<WritableRegister, bigint>> = {};
  for (const [name, value] of values) {
    registerToRead(name);
    if (!isOneOf(WRITABLE_REGISTERS, name)) {
      throw new Fault(
        "register-read-only",
        `Cannot write register "${name}": only ${WRITABLE_REGISTERS.join(", ")} can be written`,
      );
    }
    if (value < 0n || value > BigInt(U32_MAX)) {
      throw new Fault(
        "value-not-allowed",
        `Cannot write register "${name}": it must be from 0 to ${U32_MAX}: received ${value}`,
      );
    }
    changes[name] = value;
  }
  return changes;
}

function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name);
}
