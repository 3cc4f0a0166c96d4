import type { HostDevice } from "../../src/core/ports/host_device.ts";
import type { SystemError } from "../../src/core/system_error.ts";

/** How a host device of a test behaves. */
export interface FakeHostDeviceOptions {
  /** Whether it can be polled for news, as a driver can. A file cannot. */
  readonly polls?: boolean;
}

/** A host device in memory, whose content a test sets. */
export class FakeHostDevice implements HostDevice {
  readonly path = "/dev/fake";
  readonly written: Uint8Array[] = [];
  /** How often it was read. */
  reads = 0;
  failing: SystemError | undefined;
  isClosed = false;
  readonly #polls: boolean;
  #content: Uint8Array<ArrayBuffer> | undefined;
  #hasNews = false;
  #wake: (() => void) | undefined;

  constructor(
    content: Uint8Array<ArrayBuffer> | undefined,
    { polls = true }: FakeHostDeviceOptions = {},
  ) {
    this.#content = content;
    this.#polls = polls;
  }

  /** Gives it another content, which is news. */
  show(content: Uint8Array<ArrayBuffer>): void {
    this.#content = content;
    this.#hasNews = true;
    this.#wake?.();
  }

  read(count: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.reads++;
    if (this.failing !== undefined) return Promise.reject(this.failing);
    this.#hasNews = false;
    return Promise.resolve(this.#content?.slice(0, count));
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    if (!this.#polls) return Promise.resolve(false);
    this.written.push(bytes);
    return Promise.resolve(true);
  }

  async wait(timeoutMs: number): Promise<"news" | "nothing" | "unpollable"> {
    if (this.failing !== undefined) throw this.failing;
    if (!this.#polls) return "unpollable";
    if (this.#hasNews) return "news";
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return this.#hasNews ? "news" : "nothing";
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
