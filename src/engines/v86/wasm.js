// @ts-self-types="./wasm.d.ts"
// A source-phase import: Deno compiles the module once, and no read permission for the package
// folder is needed. TypeScript cannot parse it, so it stands in a file of its own.
import source wasm from "v86/build/v86.wasm";
export { wasm };
