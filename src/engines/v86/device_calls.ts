import { SystemError } from "../../core/system_error.ts";
import type { Asked, DeviceAsk, Signal } from "./protocol.ts";

interface Waiting {
  readonly resolve: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: SystemError) => void;
}

/** What a guest's devices have asked the host's thread and are waiting for. */
export class DeviceCalls {
  readonly #post: (asked: Asked) => void;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;

  constructor(post: (asked: Asked) => void) {
    this.#post = post;
  }

  /** Rejects when the host could not do it; without bytes where there are none to give. */
  ask(ask: DeviceAsk): Promise<Uint8Array<ArrayBuffer>> {
    const asked = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(asked, { resolve, reject });
      this.#post({ asked, ask });
    });
  }

  served({ id, bytes, error }: Signal & { signal: "served" }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.reject(new SystemError("EIO", "serve", error));
    else waiting?.resolve(bytes ?? new Uint8Array());
  }
}
