import type { Context, MiddlewareHandler } from "hono";
import { Fault } from "../../src/core/faults.ts";
import type { Route } from "./endpoint.ts";
import type { Env } from "./env.ts";
import { rightGuard } from "./rights.ts";

/**
 * What is decided before a single byte of a body is read: whether the caller may do this at all, and
 * whether the body is of a type that the endpoint takes. So a body costs memory only where it can be
 * of use.
 *
 * @returns A guard for each route that changes something
 */
export function guardsBeforeBodies(
  routes: readonly Route[],
): { readonly route: Route; readonly guard: MiddlewareHandler<Env> }[] {
  const changing = routes.filter(({ method }) => method !== "get");
  // Where the paths of two routes fit a request, the first answers it, and only its guard counts.
  const shapes = Map.groupBy(
    changing.map((route) => ({ route, pattern: patternOf(route.path) })),
    ({ route }) => shapeOf(route.method, route.path),
  );
  const routeOf = (c: Context<Env>): Route | undefined =>
    shapes.get(shapeOf(c.req.method.toLowerCase(), c.req.path))
      ?.find(({ pattern }) => pattern.test(c.req.path))?.route;
  return changing.map((route) => {
    const right = route.needs === undefined ? undefined : rightGuard(route.needs);
    return {
      route,
      guard: (c, next) => {
        if (routeOf(c) !== route) return next();
        const then = (): Promise<void> => {
          requireMediaType(c, route);
          return next();
        };
        return right === undefined ? then() : right(c, then);
      },
    };
  });
}

function shapeOf(method: string, path: string): string {
  return `${method} ${path.split("/").length}`;
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`);
}

/** @throws {Fault} `wrong-media-type` for a body that the endpoint cannot take */
function requireMediaType(c: Context<Env>, { request }: Route): void {
  const { headers } = c.req.raw;
  const length = headers.get("content-length");
  const hasBody = headers.has("transfer-encoding") || length !== null && length !== "0";
  if (!hasBody || request?.body === undefined) return;
  const accepted = Object.keys(request.body.content);
  const type = headers.get("content-type");
  const base = type?.split(";")[0]?.trim().toLowerCase();
  if (base !== undefined && accepted.includes(base)) return;
  throw new Fault(
    "wrong-media-type",
    `Cannot read a body ${type === null ? "without Content-Type" : `of ${type.slice(0, 80)}`}: ` +
      `it must be ${accepted.join(" or ")}`,
  );
}
