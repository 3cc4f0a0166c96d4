/** A bare Hono that says hello: prints its port. */
import { Hono } from "hono";
import { write } from "./measure.ts";

const app = new Hono();
app.get("/", (c) => c.text("hello"));
const { addr } = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, app.fetch);
await write(String(addr.port));
