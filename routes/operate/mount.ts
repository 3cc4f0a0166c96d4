import { z } from "@hono/zod-openapi";
import { Gauge, type Registry } from "prom-client";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json } from "../http/openapi.ts";

/** What a mount tells of itself. */
interface MountStatus {
  readonly folder: string;
  readonly nodes: number;
  readonly handles: number;
  readonly waiting: number;
  readonly ownPages: number;
  readonly operations: ReadonlyMap<string, number>;
}

/** Tells the state of the mount; `undefined` when nothing is mounted. */
type ReadMount = () => MountStatus | undefined;

const MountView = z.object({
  mounted: z.boolean().describe("Whether anything is mounted"),
  folder: z.string().optional().openapi({
    description: "Where the parts are shown as files",
    example: "/run/innkeeper-files",
  }),
  nodes: z.int().optional().openapi({ description: "Files and folders that the kernel knows" }),
  openFiles: z.int().optional().describe("Files that are open"),
  waiting: z.int().optional().openapi({ description: "Calls that wait, such as blocking reads" }),
  ownPages: z.int().optional().openapi({ description: "Pages that single programs may store to" }),
  operations: z.record(z.string(), z.int()).optional().openapi({
    description: "Requests of the kernel since the start, by operation",
  }),
}).openapi("Mount", {
  example: {
    mounted: true,
    folder: "/run/innkeeper-files",
    nodes: 12,
    openFiles: 3,
    waiting: 1,
    ownPages: 0,
    operations: { read: 42, open: 3 },
  },
  description: "The file system that shows the parts as files",
});

const showMount = endpointsOf<ReadMount>("daemon")({
  method: "get",
  path: "/v1/mount",
  operationId: "showMount",
  summary: "Show what is mounted, and what it is doing",
  description:
    "Without `--mount` nothing is mounted. The numbers of requests begin with the daemon.",
  needs: "read",
  responses: { 200: json(MountView, "The mount") },
  faults: [],
}).handle((c, readMount) => {
  const status = readMount();
  if (status === undefined) return c.json({ mounted: false }, 200);
  const { handles, operations, ...rest } = status;
  const view = { ...rest, openFiles: handles, operations: Object.fromEntries(operations) };
  return c.json({ mounted: true, ...view }, 200);
});

/** `GET /v1/mount`; the metrics of the mount go into the registry. */
export function mountRoutes(readMount: ReadMount, registry: Registry): Routes {
  new Gauge({
    name: "innkeeper_mount_open_files",
    help: "Open files of the mount",
    registers: [registry],
    collect(): void {
      this.set(readMount()?.handles ?? 0);
    },
  });
  new Gauge({
    name: "innkeeper_mount_requests",
    help: "Requests of the kernel since the start",
    labelNames: ["operation"],
    registers: [registry],
    collect(): void {
      for (const [operation, count] of readMount()?.operations ?? []) {
        this.set({ operation }, count);
      }
    },
  });
  return new Routes().add([showMount], readMount);
}
