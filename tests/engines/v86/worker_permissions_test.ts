import { assertEquals } from "@std/assert";
import { V86Engines } from "../../../src/engines/v86/engines.ts";

/** A Worker with the options that are given here, which tries what a guest must not be able to do. */
const ESCAPES = `
  const tried = {};
  const attempt = async (name, act) => {
    try {
      await act();
      tried[name] = "done";
    } catch (error) {
      tried[name] = error.name;
    }
  };
  await attempt("read", () => Deno.readTextFile("/etc/hostname"));
  await attempt("write", () => Deno.writeTextFile("/tmp/escaped", ""));
  await attempt("net", () => Deno.connect({ port: 1 }));
  await attempt("listen", () => Deno.listen({ port: 0 }));
  await attempt("run", () => new Deno.Command("true").output());
  await attempt("ffi", () => Deno.dlopen("libc.so.6", {}));
  await attempt("env", () => Deno.env.get("HOME"));
  await attempt("sys", () => Deno.hostname());
  postMessage(tried);
`;

Deno.test("a guest's Worker has no permission: neither files, network, processes nor libraries", async () => {
  const { Worker } = globalThis;
  const options: WorkerOptions[] = [];
  globalThis.Worker = class extends Worker {
    constructor(specifier: string | URL, given?: WorkerOptions) {
      super(specifier, given);
      options.push(given as WorkerOptions);
    }
  };
  try {
    using engines = new V86Engines();
    engines.make().close();
  } finally {
    globalThis.Worker = Worker;
  }
  assertEquals(options.length > 0, true, "no Worker was started");
  for (const given of options) {
    const url = `data:text/javascript,${encodeURIComponent(ESCAPES)}`;
    const worker = new Worker(url, given);
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, string>>();
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    const tried = await promise;
    worker.terminate();
    assertEquals(new Set(Object.values(tried)), new Set(["NotCapable"]), JSON.stringify(tried));
  }
});
