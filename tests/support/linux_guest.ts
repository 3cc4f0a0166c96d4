import { deadline } from "@std/async";
import { debianGuest, debianInitrd } from "../../src/cli/debian_guest.ts";
import type { InitramfsFile } from "../../src/cli/initramfs.ts";
import type { Daemon } from "./daemon.ts";

const BOOT_MS = 240_000;
const ANSWER_MS = 60_000;

/** Why no Linux guest can be booted here, `undefined` when one can. */
export function missingLinux(): string | undefined {
  return debianGuest() === undefined ? "no kernel: .ci/linux-guest fetches one" : undefined;
}

/** What is left out of the boot so that it is short. */
export const QUICK = "console=ttyS0 quiet mitigations=off lpj=4000000 tsc=reliable nokaslr " +
  "cryptomgr.notests";

/** Puts a kernel and an initial root into a folder, to be a daemon's root. */
export async function writeLinuxImages(
  folder: string,
  files: readonly InitramfsFile[] = [],
): Promise<void> {
  const debian = debianGuest();
  if (debian === undefined) throw new Error("there is no kernel");
  await Deno.copyFile(`${debian.folder}/${debian.kernel}`, `${folder}/vmlinuz`);
  await Deno.writeFile(`${folder}/initrd`, debianInitrd(debian, files));
}

/** The other end of a guest's console. */
export class ConsoleClient {
  /** What has come and was not waited for yet. */
  text = "";
  /** Text frames that came. */
  readonly frames: unknown[] = [];
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  readonly #decoder = new TextDecoder();
  #wake = (): void => {};

  private constructor(readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code }) => {
        resolve(code);
        this.#wake();
      });
    });
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") this.frames.push(JSON.parse(data));
      else this.text += this.#decoder.decode(data, { stream: true });
      this.#wake();
    });
  }

  static async open({ url, token }: Daemon, guest: string, since = 0): Promise<ConsoleClient> {
    const socket = new WebSocket(
      `${url.replace("http", "ws")}/v1/guests/${guest}/console?since=${since}`,
      { protocols: ["innkeeper.console.v1"], headers: { authorization: `Bearer ${token}` } },
    );
    const client = new ConsoleClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("error", () => reject(new Error("refused")), { once: true });
    });
    return client;
  }

  /** Opens a console for what comes from now on. */
  static async fromNow(daemon: Daemon, guest: string): Promise<ConsoleClient> {
    const tail = await daemon.fetch(`/v1/guests/${guest}/console`);
    await tail.body?.cancel();
    return await this.open(daemon, guest, Number(tail.headers.get("innkeeper-console-end")));
  }

  /** Waits for a text and returns what came before it; what comes after it stays. */
  async until(text: string, withinMs = ANSWER_MS): Promise<string> {
    const wait = async (): Promise<void> => {
      while (!this.text.includes(text)) {
        if (this.socket.readyState === WebSocket.CLOSED) throw new Error("the console is closed");
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    };
    await deadline(wait(), withinMs).catch((error) => {
      throw new Error(`no ${JSON.stringify(text)} in ${JSON.stringify(this.text)}`, {
        cause: error,
      });
    });
    const at = this.text.indexOf(text);
    const before = this.text.slice(0, at);
    this.text = this.text.slice(at + text.length);
    return before;
  }

  /** Waits for the first prompt after a boot. */
  async prompt(): Promise<void> {
    await this.until("/ # ", BOOT_MS);
  }

  send(text: string): void {
    this.socket.send(new TextEncoder().encode(text));
  }

  /** Gives the shell a command and returns its output. Markers keep its echo apart. */
  async shell(command: string): Promise<string> {
    this.send(`echo "<""<"; ${command}; echo ">"">"\n`);
    await this.until("<<\r\n");
    return (await this.until(">>\r\n")).replaceAll("\r\n", "\n").trimEnd();
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
