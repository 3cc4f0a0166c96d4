import { OpenAPIHono, type RouteConfig, type RouteHandler } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Permission } from "../../src/access/permissions.ts";
import type { FaultCode } from "../../src/core/faults.ts";
import { faultOf } from "../../src/wire/scalars.ts";
import type { Env } from "./env.ts";
import { needing } from "./guard.ts";
import { problems } from "./openapi.ts";

/** What is known of an endpoint without calling it: its description, and who may call it. */
interface Route extends Omit<RouteConfig, "middleware" | "hide"> {
  /** The permission that a caller needs. An endpoint without one decides by itself. */
  readonly needs?: Permission;
  /** What may go wrong beyond what may go wrong everywhere. */
  readonly faults?: readonly FaultCode[];
  /** The largest body, where it is not that of its media type. Works for paths without parameters. */
  readonly bodyBytesMax?: number;
  /**
   * The request is described by schemas and read by hand, for the one endpoint that is called more
   * than all others.
   */
  readonly isReadByHand?: true;
}

/** A route and what is done when it is called. */
interface Endpoint<Parts> {
  readonly route: Route;
  // Each endpoint has a context type of its own, which is checked where the endpoint is declared.
  // deno-lint-ignore no-explicit-any
  handle(c: Context<Env, any, any>, parts: Parts): Response | Promise<Response>;
}

/**
 * Makes a function that declares endpoints: first the route, then its handler, whose requests and
 * answers are checked against the route.
 *
 * @param tag The heading under which the endpoints stand in the OpenAPI document
 * @typeParam Parts What the handlers work with, given when the endpoints are added to an app
 *
 * @example
 * ```ts
 * import { z } from "@hono/zod-openapi";
 * import { endpointsOf, Routes } from "./endpoint.ts";
 * import { json } from "./openapi.ts";
 *
 * const endpoint = endpointsOf<{ rooms: Map<string, number> }>("rooms");
 * const showRoom = endpoint({
 *   method: "get",
 *   path: "/v1/rooms/{room}",
 *   summary: "Show how many guests are in a room",
 *   needs: "read",
 *   request: { params: z.object({ room: z.string() }) },
 *   responses: { 200: json(z.object({ guests: z.int() }), "The room") },
 * }).handle((c, { rooms }) => c.json({ guests: rooms.get(c.req.valid("param").room) ?? 0 }, 200));
 *
 * new Routes().add([showRoom], { rooms: new Map() });
 * ```
 */
export function endpointsOf<Parts>(tag: string) {
  return <Path extends string, Declared extends Route & { path: Path }>(declared: Declared) => ({
    handle: (
      handle: (
        c: Parameters<RouteHandler<Declared, Env>>[0],
        parts: Parts,
      ) => ReturnType<RouteHandler<Declared, Env>>,
    ): Endpoint<Parts> => // Answers are responses that also carry their types.
    ({ route: { tags: [tag], ...declared }, handle: handle as Endpoint<Parts>["handle"] }),
  });
}

/** A set of routes. A request that does not fit the schemas of its route becomes a fault. */
export class Routes extends OpenAPIHono<Env> {
  /** The largest body in bytes by path, where it is not that of its media type. */
  readonly bodyBytesMax = new Map<string, number>();

  constructor() {
    super({
      defaultHook: (result) => {
        if (!result.success) throw faultOf(result.error, result.target);
      },
    });
  }

  /** Adds endpoints in this order. Of two whose paths fit a request, the first answers it. */
  add<Parts>(endpoints: readonly Endpoint<Parts>[], parts: Parts): this {
    for (const { route, handle } of endpoints) {
      const { needs, faults = [], bodyBytesMax, isReadByHand, ...rest } = route;
      const described = { ...rest, responses: { ...rest.responses, ...problems(faults) } };
      if (bodyBytesMax !== undefined) this.bodyBytesMax.set(route.path, bodyBytesMax);
      this.openAPIRegistry.registerPath(described);
      const { request: _, ...unchecked } = described;
      this.openapi(
        {
          ...isReadByHand ? unchecked : described,
          hide: true,
          middleware: needs === undefined ? [] : [needing(needs)],
        },
        (c) => handle(c, parts),
      );
    }
    return this;
  }
}
