import { compileC } from "./page_probe.ts";

/** What a program saw that read a vmclock page without a pause. */
interface VmclockLooks {
  readonly looks: number;
  /** Looks that found an odd sequence, which a reader cannot use. */
  readonly odd: number;
  /** Readings given up after 1,024 looks. */
  readonly gaveUp: number;
  readonly wentBack: number;
  /** The last generation that it read. */
  readonly generation: number;
}

/** A program of its own that reads a vmclock page without a pause; see vmclock_probe.c. */
export class VmclockProbe {
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;

  private constructor(child: Deno.ChildProcess, output: ReadableStreamDefaultReader<string>) {
    this.#child = child;
    this.#output = output;
  }

  /** Starts it on a page, and waits until it looks. */
  static async start(page: string): Promise<VmclockProbe> {
    const child = new Deno.Command(await compileC("vmclock_probe.c"), {
      args: [page],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await output.read();
    if (value !== "ready\n") throw new Error(`the probe said ${value}`);
    return new VmclockProbe(child, output);
  }

  /** Ends it. */
  async end(): Promise<VmclockLooks> {
    await this.#child.stdin.close();
    let text = "";
    for (;;) {
      const { value, done } = await this.#output.read();
      if (done) break;
      text += value;
    }
    await this.#child.status;
    return JSON.parse(text) as VmclockLooks;
  }
}
