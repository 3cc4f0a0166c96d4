// The names of @std/bytes that this project uses; the package ships no types.
// tests/std_test.ts holds every declared name against the package.
export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
