import { Serial } from "../../core/serial.ts";

/** Runs tasks of the same key one after the other, and forgets keys that nobody waits for. */
export class KeyedSerial {
  readonly #gates = new Map<string, { readonly serial: Serial; users: number }>();

  /** Runs `task` after all earlier ones of its key and passes its result or error on. */
  async run<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const gate = this.#gates.get(key) ?? { serial: new Serial(), users: 0 };
    this.#gates.set(key, gate);
    gate.users++;
    try {
      return await gate.serial.run(task);
    } finally {
      gate.users--;
      if (gate.users === 0) this.#gates.delete(key);
    }
  }
}
