/** v86's processor, compiled and not yet instantiated. */
export const wasm: WebAssembly.Module;
