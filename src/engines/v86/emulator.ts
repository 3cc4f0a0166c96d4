import { V86 } from "v86";
import type { Cpu } from "./cpu.ts";
import { wasm } from "./wasm.js";

/** Functions that v86's WebAssembly imports from JavaScript. */
type WasmEnvironment = Record<string, WebAssembly.ImportValue>;

/** v86, as far as this engine uses it beyond its processor. */
export interface Emulator {
  readonly cpu: Cpu;
  /** Sets the clock of the devices, for all of this thread. */
  setTime(nowMs: () => number): void;
  onBus(event: string, listener: (value: number) => void): void;
  saveState(): Promise<ArrayBuffer>;
  restoreState(state: ArrayBuffer): Promise<void>;
}

/**
 * Starts v86 without a screen, a keyboard, a BIOS or a loop of its own.
 *
 * @param options More options of v86
 * @param change Changes what its WebAssembly imports
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
        // When a guest dies v86 writes a panic to the console; the engine reports a death instead.
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
