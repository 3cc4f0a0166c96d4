import { configureSync, jsonLinesFormatter, type LogRecord } from "@logtape/logtape";
import { write } from "./output.ts";

/** Sends the log to standard error, one line of JSON an event. */
export function logToStderr(): void {
  configureSync({
    sinks: {
      stderr: (record: LogRecord) => write(Deno.stderr, jsonLinesFormatter(record)),
    },
    loggers: [
      { category: "innkeeper", lowestLevel: "info", sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    ],
  });
}
