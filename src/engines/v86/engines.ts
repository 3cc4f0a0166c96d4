import { V86Engine } from "./engine.ts";

/** How long after the last guest was made the next Worker is started, in milliseconds. */
const SPARE_AFTER_MS = 200;

/**
 * Makes engines, and the next one ahead of time, because half of the time that making a guest takes
 * is its Worker starting up and loading v86. The spare is made only after the first guest, and costs
 * about 12 MiB.
 */
export class V86Engines implements Disposable {
  #spare: V86Engine | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Makes an engine for one guest. */
  make(): V86Engine {
    const spare = this.#spare;
    this.#spare = undefined;
    // Not at once, because the guest that is made now needs the processor more.
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => this.#prepare(), SPARE_AFTER_MS);
    return spare?.isUsable === true ? spare : new V86Engine();
  }

  #prepare(): void {
    this.#spare ??= new V86Engine();
  }

  /** Ends the spare. Engines that were handed out stay. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#spare?.close();
    this.#spare = undefined;
  }
}
