import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Fault } from "../../../src/core/faults.ts";
import { preferredWaitMs } from "../../../src/wire/http/prefer.ts";
import { rangeOfPath, requestedRange } from "../../../src/wire/http/byte_range.ts";

Deno.test("requestedRange() reads first-last, first- and -suffix", () => {
  const read = (header: string) => {
    const range = requestedRange(header, 100n);
    return range && [Number(range.start), Number(range.end)];
  };
  assertEquals(read("bytes=0-0"), [0, 1]);
  assertEquals(read("bytes=10-19"), [10, 20]);
  assertEquals(read("bytes=90-"), [90, 100]);
  assertEquals(read("bytes=-7"), [93, 100]);
  assertEquals(read("bytes=-700"), [0, 100]);
  assertEquals(read("BYTES = 5-1000000000000000000000"), [5, 100]);
});

Deno.test("requestedRange() ignores what it may ignore: other units, several ranges, nonsense", () => {
  for (
    const header of [undefined, "", "bytes=", "bytes=-", "bytes=9-5", "bytes=0-1,3-4", "rows=0-1"]
  ) {
    assertEquals(requestedRange(header, 100n), undefined, header);
  }
});

Deno.test("requestedRange() refuses ranges without a byte, and says how many there are (case 34)", () => {
  for (
    const [header, size] of [["bytes=100-", 100n], ["bytes=-0", 100n], ["bytes=0-", 0n]] as const
  ) {
    const fault = assertThrows(() => requestedRange(header, size), Fault);
    assertEquals([fault.code, fault.members["size"]], ["range-not-satisfiable", String(size)]);
  }
});

Deno.test("rangeOfPath() reads two decimal numbers in order, both inclusive", () => {
  assertEquals(rangeOfPath("0-0"), { start: 0n, end: 1n });
  assertEquals(rangeOfPath("7-18446744073709551615"), { start: 7n, end: 1n << 64n });
  const code = (text: string) => assertThrows(() => rangeOfPath(text), Fault).code;
  for (const text of ["", "1", "a-b", "-1", "1-", "1-2-3", "1.5-2"]) {
    assertEquals(code(text), "malformed-request", text);
  }
  for (const text of ["2-1", "0-18446744073709551616"]) {
    assertEquals(code(text), "value-not-allowed");
  }
});

Deno.test("requestedRange() and rangeOfPath() never fail but by a fault, whatever they read", () => {
  fc.assert(fc.property(fc.string(), fc.bigInt(0n, 1n << 64n), (text, size) => {
    for (const read of [() => requestedRange(`bytes=${text}`, size), () => rangeOfPath(text)]) {
      try {
        read();
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
      }
    }
  }));
});

Deno.test("preferredWaitMs() reads wait among other preferences and cuts it to the limit", () => {
  const cases = {
    "wait=5": 5000,
    "respond-async, wait=0": 0,
    'wait="7"; foo': 7000,
    "wait=55": 55_000,
    "wait=56": 55_000,
    "wait=999": 55_000,
  };
  for (const [header, ms] of Object.entries(cases)) {
    assertEquals(preferredWaitMs(header), ms, header);
  }
  for (const header of ["", "wait", "wait=", "wait=-1", "wait=1.5", "swait=4"]) {
    assertEquals(preferredWaitMs(header), undefined, header);
  }
});
