import { assertEquals, assertGreater, assertNotEquals } from "@std/assert";
import ts from "typescript";
import { ERRNO } from "../../src/core/errno.ts";
import * as fileTypes from "../../src/core/file_type.ts";
import * as constants from "../../src/native/constants.ts";
import { missingProgram, testWhere } from "../support/skip.ts";
import { filesBelow, sources, textOf } from "../support/tree.ts";

/** The only files that declare constants of the host. */
const HOMES = ["src/native/constants.ts", "src/core/file_type.ts"];

/** Where the C library has what the constants are called after. */
const HEADERS = [
  ...[
    "dirent.h",
    "errno.h",
    "fcntl.h",
    "linux/membarrier.h",
    "linux/openat2.h",
    "poll.h",
    "signal.h",
    "stddef.h",
    "stdio.h",
  ],
  ...[
    "sys/file.h",
    "sys/mman.h",
    "sys/mount.h",
    "sys/prctl.h",
    "sys/socket.h",
    "sys/resource.h",
    "sys/un.h",
    "netinet/in.h",
    "linux/tcp.h",
    "sys/stat.h",
    "sys/statvfs.h",
    "sys/syscall.h",
    "sys/uio.h",
    "time.h",
  ],
];

const isStruct = (value: unknown): value is Readonly<Record<string, number>> =>
  typeof value === "object" && value !== null;

/** Every number of the table for this architecture, by the C expression that must have it. */
function expected(): Map<string, bigint> {
  const found = new Map<string, bigint>();
  for (const [name, value] of Object.entries({ ...constants, ...fileTypes, ...ERRNO })) {
    if (isStruct(value)) {
      const type = `struct ${name.replace("_STRUCT", "").toLowerCase()}`;
      for (const [field, number] of Object.entries(value)) {
        const c = field === "size" ? `sizeof(${type})` : `offsetof(${type}, ${field})`;
        found.set(c, BigInt(number));
      }
    } else if (typeof value !== "function") found.set(name, BigInt(value));
  }
  return found;
}

/** What a program in C finds for these expressions. */
async function asCompiled(expressions: readonly string[]): Promise<Map<string, bigint>> {
  const folder = await Deno.makeTempDir();
  const lines = expressions.map((c) => `  printf("%lld\\n", (long long)(${c}));`);
  await Deno.writeTextFile(
    `${folder}/constants.c`,
    [
      "#define _GNU_SOURCE",
      ...HEADERS.map((header) => `#include <${header}>`),
      "int main(void) {",
      ...lines,
      "  return 0;\n}\n",
    ].join("\n"),
  );
  const args = ["-o", `${folder}/constants`, `${folder}/constants.c`];
  const compiled = await new Deno.Command("cc", { args }).output();
  assertEquals(new TextDecoder().decode(compiled.stderr), "");
  const { stdout } = await new Deno.Command(`${folder}/constants`).output();
  await Deno.remove(folder, { recursive: true });
  const numbers = new TextDecoder().decode(stdout).trim().split("\n").map(BigInt);
  return new Map(expressions.map((c, index) => [c, numbers[index] as bigint]));
}

testWhere(
  "constants: every number and struct field is as the headers of this machine have it",
  missingProgram("cc"),
  async () => {
    const table = expected();
    assertGreater(table.size, 100);
    assertEquals(await asCompiled([...table.keys()]), table);
  },
);

/** From include/uapi/asm-generic/fcntl.h of Linux, in its notation. */
const ASM_GENERIC_FCNTL = {
  O_RDONLY: 0o00000000,
  O_RDWR: 0o00000002,
  O_ACCMODE: 0o00000003,
  O_TRUNC: 0o00001000,
  O_APPEND: 0o00002000,
  O_CREAT: 0o00000100,
  O_EXCL: 0o00000200,
  O_NOCTTY: 0o00000400,
  O_NONBLOCK: 0o00004000,
  O_DIRECT: 0o00040000,
  O_LARGEFILE: 0o00100000,
  O_DIRECTORY: 0o00200000,
  O_NOFOLLOW: 0o00400000,
  O_NOATIME: 0o01000000,
  O_CLOEXEC: 0o02000000,
  O_PATH: 0o010000000,
  LOCK_EX: 2,
  LOCK_NB: 4,
} as const;

/** From arch/arm64/include/uapi/asm/fcntl.h of Linux, which then includes asm-generic/fcntl.h. */
const ARM64_FCNTL = {
  ...ASM_GENERIC_FCNTL,
  O_DIRECTORY: 0o040000,
  O_NOFOLLOW: 0o0100000,
  O_DIRECT: 0o0200000,
  O_LARGEFILE: 0o0400000,
} as const;

for (
  const [architecture, header] of [
    ["x86_64", ASM_GENERIC_FCNTL],
    ["aarch64", ARM64_FCNTL],
  ] as const
) {
  Deno.test(`constants: the open flags of ${architecture} are those of the kernel's headers`, () => {
    const table = { ...constants, ...constants.numbersOf(architecture) };
    const flags = Object.entries(table).filter(([name]) => /^(O|LOCK)_/.test(name));
    assertGreater(flags.length, 8);
    assertEquals(
      Object.fromEntries(flags),
      Object.fromEntries(flags.map(([name]) => [name, header[name as keyof typeof header]])),
    );
    assertNotEquals(table.O_DIRECTORY, header.O_DIRECT);
  });
}

const HOST_NAME =
  /^((O|AT|RESOLVE|STATX|FALLOC|PROT|MAP|MS|MNT|MADV|RWF|LOCK|DT|SEEK|F|SYS|UTIME|MEMBARRIER|CLOCK|FD|PR)_|SIG(?:HUP|KILL|TERM|URG)$|S_IF|POLL[A-Z])/;

/** Names that look like the host's and are not. */
const OTHERS = new Set(["AT_ONCE", "MAP_KEYS_MAX"]);

/** The names of the host's constants that a file declares, as variables, members or properties. */
function declaredIn(path: string, text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const isDeclaration = ts.isVariableDeclaration(node) || ts.isEnumMember(node) ||
      ts.isPropertyAssignment(node) || ts.isPropertyDeclaration(node) || ts.isBindingElement(node);
    const name = isDeclaration && ts.isIdentifier(node.name) ? node.name.text : "";
    const isText = isDeclaration && node.initializer !== undefined &&
      (ts.isStringLiteral(node.initializer) || ts.isTemplateLiteral(node.initializer));
    if (HOST_NAME.test(name) && !isText && !OTHERS.has(name)) found.push(`${path}: ${name}`);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

Deno.test("constants: no other file declares a constant of the host", () => {
  assertEquals(
    declaredIn("a.ts", "const O_RDWR = 2; const o = { PROT_READ: 1 }; enum E { POLLIN = 1 }"),
    ["a.ts: O_RDWR", "a.ts: PROT_READ", "a.ts: POLLIN"],
  );
  assertGreater(HOMES.flatMap((home) => declaredIn(home, textOf(home))).length, 40);
  const others = [...sources(), ...["bench/", "tests/"].flatMap(filesBelow)]
    .filter((path) => /\.[jt]s$/.test(path) && !HOMES.includes(path))
    .filter((path) => path !== "tests/native/constants_test.ts");
  assertEquals(others.flatMap((path) => declaredIn(path, textOf(path))), []);
});

Deno.test("constants: every constant is used", () => {
  const text = sources().filter((path) => path.startsWith("src/") && !HOMES.includes(path))
    .map(textOf).join("\n");
  const names = Object.keys({ ...constants, ...fileTypes }).filter((name) => name !== "numbersOf");
  assertEquals(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)), []);
});
