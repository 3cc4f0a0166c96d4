import { type BrowserContext, chromium, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** Why there is no browser to test with, `undefined` when there is one. */
export function missingBrowser(): string | undefined {
  try {
    Deno.statSync(CHROMIUM);
    return undefined;
  } catch {
    return `${CHROMIUM} is not installed`;
  }
}

/** A browser with a fresh profile, and what its pages did that no test should let pass. */
export class Browser implements AsyncDisposable {
  /** Errors that pages have written to their console, or thrown. */
  readonly errors: string[] = [];
  /** Requests that left this host. */
  readonly foreign: string[] = [];

  private constructor(readonly context: BrowserContext, readonly folder: string) {
    context.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.errors.push(`${message.text()} ${message.location().url}`);
      }
    });
    context.on("weberror", (error) => this.errors.push(String(error.error())));
    context.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol !== "data:" && hostname !== "127.0.0.1") this.foreign.push(request.url());
    });
  }

  static async start(
    { width = 1280, height = 900, theme = "light" as "light" | "dark" } = {},
  ): Promise<Browser> {
    const folder = await Deno.makeTempDir({ prefix: "innkeeper-browser-" });
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: CHROMIUM,
      headless: true,
      viewport: { width, height },
      colorScheme: theme,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // A page that a test makes up comes from no address, so it could call no one on this host.
        "--disable-features=LocalNetworkAccessChecks",
      ],
    });
    return new Browser(context, folder);
  }

  /** Its one page. */
  get page(): Page {
    return this.context.pages()[0] as Page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
