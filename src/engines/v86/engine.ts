import type { RegisterChanges, Registers } from "../../core/ports/guest_registers.ts";
import type {
  GuestEngine,
  GuestExit,
  GuestIdentity,
  GuestImage,
  GuestStart,
  Rings,
} from "../../core/ports/guest_engine.ts";
import type { PcDevices, SerialLine } from "../../core/ports/pc_devices.ts";
import { SystemError } from "../../core/system_error.ts";
import type { Answer, Asked, Call, CallName, Calls, DeviceAsk, Signal, Told } from "./protocol.ts";

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: SystemError) => void;
}

/** A guest on v86, in a Worker of its own. The Worker needs to read its own module files. */
export class V86Engine implements GuestEngine {
  readonly name = "v86";
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #run = -1;
  #failure: SystemError | undefined;
  #tell: (rings: Rings) => void = () => {};
  #devices: PcDevices | undefined;

  constructor() {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "guest",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer | Told>) => {
      if ("rings" in data) this.#tell(data.rings);
      else if ("written" in data) this.#hear(data.line, data.written);
      else if ("asked" in data) void this.#serve(data);
      else this.#settle(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new SystemError("ENODEV", "run v86", event.message));
    };
  }

  /** Whether it can still be given a guest. */
  get isUsable(): boolean {
    return this.#failure === undefined;
  }

  initialize(start: GuestStart): Promise<void> {
    return this.#call("initialize", { start });
  }

  restore(image: GuestImage, identity: GuestIdentity): Promise<void> {
    return this.#call("restore", { image, identity });
  }

  async run(budgetMs: number): Promise<GuestExit> {
    this.#run = this.#nextId;
    try {
      return await this.#call("run", { budgetMs });
    } finally {
      this.#run = -1;
    }
  }

  interrupt(): void {
    if (this.#run >= 0) this.#signal({ signal: "interrupt", run: this.#run });
  }

  raise(line: number): void {
    this.#signal({ signal: "raise", line });
  }

  attach(address: number): Promise<void> {
    return this.#call("attach", { address });
  }

  detach(address: number): Promise<void> {
    return this.#call("detach", { address });
  }

  onNotified(listener: (rings: Rings) => void): void {
    this.#tell = listener;
  }

  identify(identity: GuestIdentity): Promise<void> {
    return this.#call("identify", { identity });
  }

  registers(): Promise<Registers> {
    return this.#call("registers", {});
  }

  setRegisters(changes: RegisterChanges): Promise<void> {
    return this.#call("setRegisters", { changes });
  }

  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call("read", { at, length });
  }

  write(at: number, bytes: Uint8Array): Promise<void> {
    return this.#call("write", { at, bytes });
  }

  serve(devices: PcDevices): void {
    this.#devices = devices;
  }

  send(line: SerialLine, bytes: Uint8Array): Promise<void> {
    return this.#call("send", { line, bytes });
  }

  capture(): Promise<GuestImage> {
    return this.#call("capture", {});
  }

  close(): void {
    this.#fail(new SystemError("ECANCELED", "run v86", "the engine is closed"));
  }

  #call<Name extends CallName>(
    call: Name,
    ask: Calls[Name]["ask"],
  ): Promise<Calls[Name]["answer"]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call, ...ask } as Call);
    });
  }

  #signal(signal: Signal): void {
    if (this.#failure === undefined) this.#worker.postMessage(signal);
  }

  #hear(line: SerialLine, written: Uint8Array<ArrayBuffer>): void {
    this.#devices?.written(line, written);
    this.#signal({ signal: "heard", line });
  }

  async #serve({ asked: id, ask }: Asked): Promise<void> {
    try {
      if (this.#devices === undefined) throw new TypeError("the guest has no devices");
      const bytes = await answerOf(this.#devices, ask);
      this.#signal({ signal: "served", id, ...(bytes === undefined ? {} : { bytes }) });
    } catch (error) {
      this.#signal({ signal: "served", id, error: String(error) });
    }
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("error" in answer) waiting?.reject(new SystemError("ENODEV", "run v86", answer.error));
    else waiting?.resolve(answer.value as never);
  }

  #fail(error: SystemError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#tell = () => {};
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

async function answerOf(
  devices: PcDevices,
  ask: DeviceAsk,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  switch (ask.device) {
    case "9p":
      return await devices.serve9p(ask.message);
    case "read":
      return await devices.readDisk(ask.disk, ask.at, ask.length);
    case "write":
      await devices.writeDisk(ask.disk, ask.at, ask.bytes);
      return undefined;
    case "flush":
      await devices.flushDisk(ask.disk);
      return undefined;
  }
}
