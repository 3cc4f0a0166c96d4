import { OpenAPIHono, type RouteConfig, type RouteHandler } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { FaultCode } from "../../src/core/faults.ts";
import type { Permission } from "../../src/core/rights.ts";
import { faultOf } from "../../src/wire/scalars.ts";
import type { Env } from "./env.ts";
import type { RequestHeader } from "./headers.ts";
import { type FurtherNeed, type Need, rightGuard } from "./rights.ts";

/**
 * What is known of an endpoint without calling it: its description, and who may call it. The members
 * that the OpenAPI document needs are not optional, so that no endpoint goes without them.
 */
export interface Route extends Omit<RouteConfig, "middleware" | "hide" | "security"> {
  /** Its name in generated clients: no other endpoint has it. */
  readonly operationId: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What its caller has to know besides. */
  readonly description: string;
  /**
   * The right that a caller needs: a permission alone where nothing has a name. Without one any
   * caller may call.
   */
  readonly needs?: Permission | Need;
  /** The rights that it may need beside that one. The handler checks them. */
  readonly also?: readonly FurtherNeed[];
  /** The headers that its handler reads. */
  readonly headers?: readonly RequestHeader[];
  /** The faults of this endpoint, besides those that every endpoint can answer with. */
  readonly faults: readonly FaultCode[];
  /**
   * The largest body in bytes, where the limit of its media type does not fit. Only for a path
   * without parameters.
   */
  readonly bodyBytesMax?: number;
  /**
   * The schemas of the request only describe it, and the handler reads it by hand: validation would
   * cost too much where an endpoint is called more than all others.
   */
  readonly isReadByHand?: true;
  /** It is opened as a WebSocket too, and a ticket stands for a token then. */
  readonly isSocket?: true;
}

/** A route and what is done when it is called. */
interface Endpoint<Parts> {
  readonly route: Route;
  // The context has another type for each route. Where an endpoint is declared, it is checked.
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
 *   operationId: "showRoom",
 *   summary: "Show how many guests are in a room",
 *   description: "A room that nobody has entered yet has none.",
 *   needs: "read",
 *   request: { params: z.object({ room: z.string().describe("Name of the room") }) },
 *   responses: {
 *     200: json(z.object({ guests: z.int().describe("How many there are") }), "The room"),
 *   },
 *   faults: [],
 * }).handle((c, { rooms }) => c.json({ guests: rooms.get(c.req.valid("param").room) ?? 0 }, 200));
 *
 * new Routes().add([showRoom], { rooms: new Map() });
 * ```
 */
export function endpointsOf<Parts>(tag: string) {
  return <Path extends string, Declared extends Route & { path: Path }>(declared: Declared) => ({
    handle(
      handle: (
        c: Parameters<RouteHandler<Declared, Env>>[0],
        parts: Parts,
      ) => ReturnType<RouteHandler<Declared, Env>>,
    ): Endpoint<Parts> {
      const route = { tags: [tag], ...declared };
      // The types of answers exist for the checker only: at run time each is a Response.
      return { route, handle: handle as Endpoint<Parts>["handle"] };
    },
  });
}

/** A set of routes. A request that does not fit the schemas of its route becomes a fault. */
export class Routes extends OpenAPIHono<Env> {
  /** What is known of the endpoints that were added, in their order. */
  readonly declared: Route[] = [];

  constructor() {
    super({
      defaultHook: (result) => {
        if (!result.success) throw faultOf(result.error, result.target);
      },
    });
  }

  /**
   * Adds endpoints. When the paths of two fit a request, the first answers it.
   *
   * @param parts What the handlers work with
   */
  add<Parts>(endpoints: readonly Endpoint<Parts>[], parts: Parts): this {
    for (const { route, handle } of endpoints) {
      const { method, path, needs, request = {}, responses, isReadByHand } = route;
      const middleware = needs === undefined ? [] : [rightGuard(needs)];
      this.declared.push(route);
      // The document is made from `declared`; what is handed on here only checks requests.
      this.openapi({
        ...{ method, path, middleware, responses, hide: true },
        request: isReadByHand ? {} : request,
      }, (c) => handle(c, parts));
    }
    return this;
  }
}
