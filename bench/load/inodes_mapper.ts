// A process that maps a file and reads random pages of it. Run with: FILE BYTES. Prints pages/s.
import { MAP_SHARED, O_RDONLY, PROT_READ } from "../../src/native/constants.ts";
import { openPath } from "../../src/native/descriptor.ts";
import { Libc } from "../../src/native/libc.ts";
import { write } from "./measure.ts";

const PAGE = 4096;
const READS = 2_000_000;

const [path = "", bytes = "0"] = Deno.args;
const libc = Libc.open();
const { symbols } = libc;
const { number } = openPath(libc, path, O_RDONLY);
const address = BigInt(symbols.mmap(0n, BigInt(bytes), PROT_READ, MAP_SHARED, number, 0n));
const into = new Uint8Array(PAGE);
const pages = Number(bytes) / PAGE;
const order = Float64Array.from({ length: 4096 }, () => Math.floor(Math.random() * pages) * PAGE);
for (const at of order) symbols.memcpy_to_js(into, address + BigInt(at), 4096n);
const start = performance.now();
for (let count = 0; count < READS; count++) {
  symbols.memcpy_to_js(into, address + BigInt(order[count % 4096] as number), 4096n);
}
await write(String(READS / ((performance.now() - start) / 1000)));
