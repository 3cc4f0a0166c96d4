import { V86 } from "v86";
import type { Cpu } from "./cpu.ts";
import { wasm } from "./wasm.js";

/** What v86's WebAssembly asks of the JavaScript around it, as far as it is changed here. */
type WasmEnvironment = Record<string, WebAssembly.ImportValue>;

/** v86 itself, as far as it is used beyond its processor. */
export interface Emulator {
  readonly cpu: Cpu;
  /** Sets the clock of the devices, for all of this thread. */
  setTime(nowMs: () => number): void;
  onBus(event: string, listener: (value: number) => void): void;
  saveState(): Promise<ArrayBuffer>;
  restoreState(state: ArrayBuffer): Promise<void>;
}

/**
 * v86 without a screen, a keyboard, a BIOS or a loop of its own.
 *
 * @param options More of v86's own options
 * @param change Changes what its WebAssembly asks of JavaScript
 */
export async function startEmulator(
  options: Readonly<Record<string, unknown>>,
  change: (env: WasmEnvironment) => void,
): Promise<Emulator> {
  const emulator = new V86(
    {
      ...options,
      autostart: false,
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
      wasm_fn: async (imports: WebAssembly.Imports) => {
        const env = imports["env"] as WasmEnvironment;
        // A guest that dies makes v86 panic on the console; the engine reports it as a death.
        env["console_log_from_wasm"] = () => {};
        change(env);
        return (await WebAssembly.instantiate(wasm, imports)).exports;
      },
    } as ConstructorParameters<typeof V86>[0],
  );
  await new Promise<void>((resolve) => emulator.add_listener("emulator-loaded", () => resolve()));
  const { v86 } = emulator as unknown as { v86: { cpu: Cpu } };
  return {
    cpu: v86.cpu,
    setTime: (nowMs) => {
      (v86.constructor as unknown as { microtick: () => number }).microtick = nowMs;
    },
    onBus: (event, listener) => {
      emulator.add_listener(event as "serial0-output-byte", listener);
    },
    saveState: () => emulator.save_state(),
    restoreState: (state) => emulator.restore_state(state),
  };
}
