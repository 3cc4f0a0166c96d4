import { configureSync, jsonLinesFormatter, type LogRecord } from "@logtape/logtape";

const encoder = new TextEncoder();

/** Sends the log to standard error, one line of JSON an event. */
export function logToStderr(): void {
  configureSync({
    sinks: {
      stderr: (record: LogRecord) => {
        Deno.stderr.writeSync(encoder.encode(jsonLinesFormatter(record)));
      },
    },
    loggers: [
      { category: "innkeeper", lowestLevel: "info", sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    ],
  });
}
