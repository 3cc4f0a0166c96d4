import type { GuestEngine, GuestExit, Rings } from "../../core/ports/guest_engine.ts";
import type { PcDevices } from "../../core/ports/pc_devices.ts";
import { SystemError } from "../../core/system_error.ts";
import { answerTo, type Call, PendingCalls } from "./calls.ts";
import type { DeviceCalls, EngineCalls, FromWorker, Signal } from "./protocol.ts";

/** A guest on v86, in a Worker of its own. The Worker needs to read its own module files. */
export class V86Engine implements GuestEngine {
  readonly name = "v86";
  readonly initialize = this.#inWorker("initialize");
  readonly restore = this.#inWorker("restore");
  readonly attach = this.#inWorker("attach");
  readonly detach = this.#inWorker("detach");
  readonly identify = this.#inWorker("identify");
  readonly registers = this.#inWorker("registers");
  readonly setRegisters = this.#inWorker("setRegisters");
  readonly read = this.#inWorker("read");
  readonly write = this.#inWorker("write");
  readonly send = this.#inWorker("send");
  readonly capture = this.#inWorker("capture");
  readonly #worker: Worker;
  readonly #calls = new PendingCalls<EngineCalls>(
    (call) => this.#worker.postMessage(call),
    (text) => new SystemError("ENODEV", "run v86", text),
  );
  /** How many runs there were, and whether the last of them is in progress. */
  #runs = 0;
  #isRunning = false;
  #failure: SystemError | undefined;
  #notify: (rings: Rings) => void = () => {};
  #devices: PcDevices | undefined;

  constructor() {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "guest",
      // Whoever breaks out of the emulator may still do nothing: no file, no network, no process.
      deno: { permissions: "none" },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new SystemError("ENODEV", "run v86", event.message));
    };
  }

  /** Whether it can still be given a guest. */
  get isUsable(): boolean {
    return this.#failure === undefined;
  }

  async run(budgetMs: number): Promise<GuestExit> {
    this.#runs++;
    this.#isRunning = true;
    try {
      return await this.#call("run", budgetMs);
    } finally {
      this.#isRunning = false;
    }
  }

  interrupt(): void {
    if (this.#isRunning) this.#signal({ signal: "interrupt", run: this.#runs });
  }

  raise(line: number): void {
    this.#signal({ signal: "raise", line });
  }

  onNotified(listener: (rings: Rings) => void): void {
    this.#notify = listener;
  }

  serve(devices: PcDevices): void {
    this.#devices = devices;
  }

  close(): void {
    this.#fail(new SystemError("ECANCELED", "run v86", "the engine is closed"));
  }

  #inWorker<Name extends keyof EngineCalls>(name: Name): EngineCalls[Name] {
    const method = (...args: Parameters<EngineCalls[Name]>) => this.#call(name, ...args);
    return method as EngineCalls[Name];
  }

  #call<Name extends keyof EngineCalls>(
    name: Name,
    ...args: Parameters<EngineCalls[Name]>
  ): ReturnType<EngineCalls[Name]> {
    if (this.#failure === undefined) return this.#calls.call(name, ...args);
    return Promise.reject(this.#failure) as ReturnType<EngineCalls[Name]>;
  }

  #signal(signal: Signal): void {
    if (this.#failure === undefined) this.#worker.postMessage(signal);
  }

  #receive(message: FromWorker): void {
    if ("answer" in message) this.#calls.settle(message.answer);
    else if ("rings" in message) this.#notify(message.rings);
    else if ("request" in message) void this.#serve(message.request);
    else {
      this.#devices?.written(message.line, message.written);
      this.#signal({ signal: "heard", line: message.line });
    }
  }

  async #serve(request: Call<DeviceCalls>): Promise<void> {
    const answer = await answerTo(this.#devices ?? {}, request);
    this.#signal({ signal: "served", answer });
  }

  #fail(error: SystemError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#notify = () => {};
    this.#worker.terminate();
    this.#calls.rejectAll(error);
  }
}
