// @ts-self-types="./async.d.ts"
// One file each: the package's async/mod.js imports a path that the package does not have.
export * from "deno-std/async/deadline.js";
export * from "deno-std/async/delay.js";
export * from "deno-std/async/retry.js";
