import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseUevent } from "../../../src/devices/resolve/uevent.ts";
import { testSeed } from "../../support/random.ts";

function name(text: string): string | undefined {
  return parseUevent(text).get("DEVNAME");
}

Deno.test("parseUevent() reads a kernel's uevent", () => {
  const text = "MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\nDISKSEQ=9\n";
  assertEquals(Object.fromEntries(parseUevent(text)), {
    MAJOR: "8",
    MINOR: "0",
    DEVNAME: "sda",
    DEVTYPE: "disk",
    DISKSEQ: "9",
  });
});

Deno.test("parseUevent() reads what an INI file may look like", () => {
  for (
    const [text, expected] of [
      ["", undefined],
      ["\n \n", undefined],
      ["DEVNAME=", ""],
      ["DEVNAME = input/event0 \r\n", "input/event0"],
      ["DEVNAME: a=b", "a=b"],
      ["DEVNAME=a:b", "a:b"],
      ["\uFEFFDEVNAME=bom", "bom"],
      ["# DEVNAME=no\n; DEVNAME=no\n  DEVNAME=yes", "yes"],
      ["DEVNAME=sda # first", "sda"],
      ["DEVNAME=sda;first", "sda"],
      ["DEVNAME=#", ""],
      ["DEVNAME=first\nDEVNAME=later", "later"],
      ["devname=small", undefined],
      ["DEVNAME='a b'", "a b"],
      ['DEVNAME="a b"', "a b"],
      ['DEVNAME=""', '""'],
      ['DEVNAME="a"b"', '"a"b"'],
      ["DEVNAME='a\"", "'a\""],
      ["DEVNAME='a;b'", "'a"],
      ["DEVNAME=`a;b # c`  ", "a;b # c"],
      ["DEVNAME=`a\n b\nc` d\nX=1", "a\n b\nc"],
      ['DEVNAME="""a"b\nc"""\n', 'a"b\nc'],
      ['DEVNAME="""', '"""'],
      ["DEVNAME=a\\\n  b \\\n c\nX=1", "ab c"],
      ["DEVNAME=a;b\\\nc", "a;bc"],
      ["DEVNAME=a\\\n\nX=1", "a"],
      ["DEVNAME=a\\", "a"],
      ["`DEVNAME` = a", "a"],
      ['"DEVNAME": a', "a"],
      ['"""DEVNAME"""=a', "a"],
      ['"a=b"=c\nDEVNAME=d', "d"],
      ["[x]\nDEVNAME=a", undefined],
      ["DEVNAME=a\n[x]\nDEVNAME=b\n[DEFAULT]\nDEVTYPE=c", "a"],
      ["[x]\nY=1\n[DEFAULT] ; back\nDEVNAME=b", "b"],
    ] as const
  ) assertEquals(name(text), expected, JSON.stringify(text));
});

Deno.test("parseUevent() refuses a line without delimiter, an open quote or section, an empty key", () => {
  for (
    const text of [
      "DEVNAME=a\nnonsense",
      "[x]\nnonsense",
      "[x",
      "[]",
      "=a",
      " : a",
      "``=a",
      "`DEVNAME=a",
      '"DEVNAME=a',
      '"DEVNAME" a',
      "DEVNAME=`a\nb",
      'DEVNAME="""a\nb',
      'DEVNAME="""\n',
    ]
  ) assertThrows(() => name(text), SyntaxError, "received", JSON.stringify(text));
});

Deno.test("parseUevent() gives back plain values as they are", () => {
  const plain = fc.stringMatching(/^[A-Za-z0-9_!,.@/-]{1,20}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(plain, plain), { maxLength: 10 }), (pairs) => {
      const text = pairs.map(([key, value]) => `${key}=${value}\n`).join("");
      assertEquals(parseUevent(text), new Map(pairs));
    }),
    { seed: testSeed() | 0 },
  );
});

Deno.test("parseUevent() ends with keys or a SyntaxError, whatever the text", () => {
  const unit = fc.constantFrom(..."DN=:#;[]`\"'\\\n\r \uFEFF", '"""', "DEFAULT");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
      try {
        parseUevent(text);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
    }),
    { seed: testSeed() | 0, numRuns: 2000 },
  );
});
