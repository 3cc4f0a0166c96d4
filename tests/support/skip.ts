/**
 * Registers a test that needs a part of the system. Where the part is missing the test is
 * reported as ignored and its name says why.
 *
 * @param missing Why it cannot run here, `undefined` when it can
 */
export function testWhere(
  name: string,
  missing: string | undefined,
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  if (missing === undefined) Deno.test(name, fn);
  else Deno.test.ignore(`${name} (skipped: ${missing})`, fn);
}

/** Why a program cannot be used, `undefined` when it can. */
export function missingProgram(name: string): string | undefined {
  try {
    new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return undefined;
  } catch {
    return `${name} is not installed`;
  }
}
