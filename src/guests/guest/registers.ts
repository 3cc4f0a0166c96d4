import {
  isRegister,
  isWritable,
  type RegisterChanges,
  type RegisterName,
  REGISTERS,
  WRITABLE_REGISTERS,
  type WritableRegister,
} from "../../core/ports/guest_registers.ts";
import { Fault } from "../../core/faults.ts";
import { U32_MAX } from "../../core/limits.ts";

/**
 * The register of this name (seed 003, getreg_setup()).
 *
 * @throws {Fault} `register-unknown`
 */
export function registerToRead(name: string): RegisterName {
  if (isRegister(name)) return name;
  throw new Fault(
    "register-unknown",
    `Cannot find register "${name.slice(0, 40)}": there are ${REGISTERS.join(", ")}`,
  );
}

/**
 * New register values, all of them allowed or none taken (seed 003, setreg()). Unlike the seed,
 * a register that cannot be written and one that does not exist are different faults.
 *
 * @throws {Fault} `register-unknown`, `register-read-only`, `value-not-allowed` above 2^32 - 1
 */
export function registersToWrite(values: ReadonlyMap<string, bigint>): RegisterChanges {
  const changes: Partial<Record<WritableRegister, bigint>> = {};
  for (const [name, value] of values) {
    registerToRead(name);
    if (!isWritable(name)) {
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
