import { Serial } from "../../core/serial.ts";

/** Runs tasks of the same key one after the other, and forgets keys that nobody waits for. */
export class KeyedSerial {
  readonly #turns = new Map<string, { readonly serial: Serial; users: number }>();

  /** Runs `task` after all earlier ones of its key and passes its result or error on. */
  async run<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const turn = this.#turns.get(key) ?? { serial: new Serial(), users: 0 };
    this.#turns.set(key, turn);
    turn.users++;
    try {
      return await turn.serial.run(task);
    } finally {
      turn.users--;
      if (turn.users === 0) this.#turns.delete(key);
    }
  }
}
