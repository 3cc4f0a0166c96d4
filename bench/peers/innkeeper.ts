import { Daemon } from "../../tests/support/daemon.ts";
import { end, withClients } from "../load/measure.ts";
import type { Peer } from "./side.ts";

/** Bump by HTTP, confirmations over WebSocket, the barrier tells that all have. */
export const innkeeper: Peer = {
  name: "innkeeper",
  missing: undefined,
  async start(count) {
    const daemon = await Daemon.start();
    await daemon.json(201, "PUT", "/v1/scopes/load", {});
    const url = `${daemon.url.replace("http", "ws")}/v1/watch`;
    const clients = await withClients(url, count, daemon.token, true);
    return {
      name: "innkeeper",
      async bump() {
        const start = performance.now();
        const { generation } = await daemon.json(201, "POST", "/v1/scopes/load/bumps", {
          reason: "load",
        });
        const path = `/v1/scopes/load/barrier?generation=${generation}`;
        const { status, body } = await daemon.fetch(path, { headers: { prefer: "wait=60" } });
        await body?.cancel();
        if (status !== 204) throw new Error(`the barrier answered ${status}`);
        return performance.now() - start;
      },
      async stop() {
        await end(clients);
        await daemon.stop();
        await Deno.remove(daemon.folder, { recursive: true });
      },
    };
  },
};
