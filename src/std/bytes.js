// @ts-self-types="./bytes.d.ts"
export * from "deno-std/bytes/concat.js";
