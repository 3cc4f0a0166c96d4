/** A program of its own that maps a page as AWS-LC does; see page_probe.c. */
export class PageProbe implements AsyncDisposable {
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(readonly child: Deno.ChildProcess) {
    this.#input = child.stdin.getWriter();
    this.#output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Why this machine cannot compile it; `undefined` when it can. */
  static missing(): string | undefined {
    try {
      new Deno.Command("cc", { args: ["--version"] }).outputSync();
      return undefined;
    } catch {
      return "no C compiler";
    }
  }

  /** Compiles the program. */
  static compile(): Promise<string> {
    return compileC("page_probe.c");
  }

  /** Starts it on a page. */
  static start(program: string, page: string): PageProbe {
    return new PageProbe(
      new Deno.Command(program, { args: [page], stdin: "piped", stdout: "piped" }).spawn(),
    );
  }

  /** What it reads now. */
  async read(): Promise<number> {
    await this.#input.write(new TextEncoder().encode("\n"));
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`the probe ended with ${(await this.child.status).code}`);
      this.#text += value;
    }
    const [line = "", ...rest] = this.#text.split("\n");
    this.#text = rest.join("\n");
    return Number(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.child.status;
    await this.#output.cancel();
  }
}

/** Compiles a program of this folder, and returns its path. */
export async function compileC(name: string): Promise<string> {
  const program = `${await Deno.makeTempDir()}/${name.replace(/\.c$/, "")}`;
  const source = new URL(`./${name}`, import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command("cc", {
    args: ["-O2", "-Wall", "-o", program, source],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return program;
}
