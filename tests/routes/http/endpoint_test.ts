import { z } from "@hono/zod-openapi";
import { assertEquals } from "@std/assert";
import { Principal } from "../../../src/access/tokens.ts";
import { endpointsOf, Routes } from "../../../routes/http/endpoint.ts";
import { json, jsonBody } from "../../../routes/http/openapi.ts";
import { Api } from "../../support/api.ts";

const endpoint = endpointsOf<{ calls: string[] }>("rooms");

const nameRoom = endpoint({
  method: "put",
  path: "/v1/room",
  operationId: "nameRoom",
  summary: "Name the room",
  description: "The name is shown to guests.",
  needs: "write",
  request: { body: jsonBody(z.strictObject({ name: z.string() })) },
  responses: { 200: json(z.object({ name: z.string() }), "It has the name") },
  faults: ["scope-in-use"],
  bodyBytesMax: 40,
}).handle((c, { calls }) => {
  const { name } = c.req.valid("json");
  calls.push(name);
  return c.json({ name }, 200);
});

const showRoom = endpoint({
  method: "get",
  path: "/v1/room/{floor}",
  operationId: "showRoom",
  summary: "Show the room",
  description: "There is one on every floor.",
  isReadByHand: true,
  request: { params: z.object({ floor: z.string().max(1) }) },
  responses: { 204: { description: "It is there" } },
  faults: [],
}).handle((c, { calls }) => {
  calls.push(c.req.param("floor"));
  return c.body(null, 204);
});

function bench() {
  const calls: string[] = [];
  const routes = new Routes().add([nameRoom, showRoom], { calls });
  return { api: Api.of(routes), routes, calls };
}

const guest = { kind: "unix", principal: new Principal("test", ["read"]) } as const;

Deno.test("Routes.add() hands a checked request and the parts to the handler", async () => {
  const { api, calls } = bench();
  await api.json(200, "PUT", "/v1/room", { json: { name: "blue" } });
  await api.refused("malformed-request", "PUT", "/v1/room", { json: { title: "blue" } });
  assertEquals(calls, ["blue"]);
});

Deno.test("Routes.add() asks for the permission before it looks at the request", async () => {
  const { api, calls } = bench();
  await api.refused("not-permitted", "PUT", "/v1/room", { json: {}, listener: guest });
  assertEquals(calls, []);
});

Deno.test("Routes.add() bounds a body as its route says", async () => {
  const { api } = bench();
  await api.json(200, "PUT", "/v1/room", { json: { name: "b".repeat(20) } });
  await api.refused("body-too-large", "PUT", "/v1/room", { json: { name: "b".repeat(40) } });
});

Deno.test("Routes.add() describes a request that is read by hand, and does not check it", async () => {
  const { api, calls } = bench();
  await api.json(204, "GET", "/v1/room/long");
  assertEquals(calls, ["long"]);
  const document = await (await api.app.request("/openapi.json", {}, { listener: guest })).json();
  assertEquals(document.paths["/v1/room/{floor}"].get.parameters.length, 1);
});

Deno.test("Routes.add() shows the permission as data, and says of it only in words in the document", async () => {
  const { api, routes } = bench();
  assertEquals(
    routes.declared.map(({ method, path, needs }) => [method, path, needs]),
    [["put", "/v1/room", "write"], ["get", "/v1/room/{floor}", undefined]],
  );
  const document = await (await api.app.request("/openapi.json", {}, { listener: guest })).json();
  assertEquals(
    Object.keys(document.paths["/v1/room"].put),
    ["tags", "operationId", "summary", "description", "requestBody", "responses"],
  );
  assertEquals(
    document.paths["/v1/room"].put.description,
    "The name is shown to guests. Needs the permission `write`. The body may have 40 bytes.",
  );
  assertEquals(document.paths["/v1/room"].put.responses["409"].description, "`scope-in-use`");
});
