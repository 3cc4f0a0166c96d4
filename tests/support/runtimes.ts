import { deadline } from "@std/async";
import { Browser, missingBrowser } from "./browser.ts";
import { ROOT } from "./tree.ts";

/** The peer of Node 20, as the lock file pins it. */
const WS = "ws@8.23.0";
const FIND_MS = 120_000;
const RUN_MS = 90_000;

/** Something that runs JavaScript. */
export interface Runtime {
  readonly name: string;
  /** Why it cannot be used here, `undefined` when it can. */
  readonly missing: string | undefined;
  /**
   * Runs a module of a folder to its end, and returns what it has printed.
   *
   * @param origin Of the daemon; a page is served from there
   * @param args What the module is given
   */
  run(folder: string, file: string, origin: string, args?: readonly string[]): Promise<string>;
}

/** Deno, three releases of Node, and a browser. */
export async function findRuntimes(): Promise<readonly Runtime[]> {
  const nodes = await Promise.all([20, 22, 24].map(findNode));
  return [program("deno", [Deno.execPath(), "run", "-A"]), ...nodes, chromium];
}

/** A release of Node, through npx if it is not the one that is installed. */
async function findNode(version: number): Promise<Runtime> {
  const name = `node ${version}`;
  for (const [command, ...args] of [["node"], ["npx", "-y", `node@${version}`]]) {
    try {
      const { stdout } = await new Deno.Command(command as string, {
        args: [...args, "-p", "process.version + ' ' + process.execPath"],
        stdin: "null",
        stderr: "null",
        signal: AbortSignal.timeout(FIND_MS),
      }).output();
      const [found, path = ""] = new TextDecoder().decode(stdout).trim().split(" ");
      if (found?.startsWith(`v${version}.`)) return program(name, [path]);
    } catch {
      // It is not there.
    }
  }
  const missing = `neither node nor "npx node@${version}" is Node ${version}`;
  return { ...program(name, []), missing };
}

function program(name: string, [command = "", ...options]: readonly string[]): Runtime {
  return {
    name,
    missing: undefined,
    async run(folder, file, _origin, args = []) {
      const { code, stdout, stderr } = await new Deno.Command(command, {
        args: [...options, `${folder}/${file}`, ...args],
        cwd: folder,
        stdin: "null",
        signal: AbortSignal.timeout(RUN_MS),
      }).output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${err}\n${out}`);
      return out ?? "";
    },
  };
}

const TYPES: Record<string, string> = { html: "text/html", js: "text/javascript" };
const PAGE = `<!doctype html><script type="importmap">
{ "imports": { "@innkeeper/client": "/client-test/node_modules/@innkeeper/client/index.js" } }
</script>`;

const chromium: Runtime = {
  name: "chromium",
  missing: missingBrowser(),
  async run(folder, file, origin, args = []) {
    await using browser = await Browser.start();
    const { page } = browser;
    const printed: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "log") printed.push(message.text());
    });
    // As behind a proxy: the page comes from the daemon's own origin, which answers no other.
    await page.route("**/client-test/**", async (route) => {
      const path = new URL(route.request().url()).pathname.replace("/client-test/", "");
      const body = path === "" ? PAGE : await Deno.readTextFile(`${folder}/${path}`);
      const contentType = TYPES[path.split(".").at(-1) || "html"] as string;
      await route.fulfill({ body, contentType });
    });
    await page.goto(`${origin}/client-test/`);
    const argv = JSON.stringify(["", "", ...args]);
    await deadline(
      page.evaluate(`globalThis.args = ${argv}; import("/client-test/${file}").then(() => {})`),
      RUN_MS,
    );
    return printed.join("\n");
  },
};

/** Lays the package `ws` beside others, as `npm install` does. */
export async function installWs(folder: string): Promise<void> {
  const deno = async (...args: string[]): Promise<string> => {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
    return new TextDecoder().decode(stdout);
  };
  await deno("cache", `npm:${WS}`);
  const { npmCache } = JSON.parse(await deno("info", "--json"));
  const path = `${npmCache}/registry.npmjs.org/${WS.replace("@", "/")}`;
  await Deno.symlink(path, `${folder}/node_modules/ws`);
}
