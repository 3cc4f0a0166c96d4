import { configureSync, jsonLinesFormatter, type LogRecord } from "@logtape/logtape";
import { LogSums } from "./log_sums.ts";
import { LogWriter } from "./log_writer.ts";
import { systemClock } from "./system.ts";

/**
 * Sends the log to standard error, one line of JSON an event. Who reads it slowly holds nothing up,
 * and lines that repeat are summed up (docs/bounds.md#log).
 *
 * @returns What waits until all is written
 */
export function logToStderr(): { flush(): Promise<void> } {
  const writer = new LogWriter(
    Deno.stderr,
    (count) => own("warning", "log lines were dropped: nobody read them", { count }),
  );
  const sums = new LogSums(
    systemClock,
    (kind, count) => writer.write(own("info", "more of the same", { kind, count })),
  );
  configureSync({
    sinks: {
      stderr: (record: LogRecord) => {
        if (sums.passes(kindOf(record))) writer.write(jsonLinesFormatter(record));
      },
    },
    loggers: [
      { category: "innkeeper", lowestLevel: "info", sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    ],
  });
  return writer;
}

/** Lines of one kind differ only in who and when. */
function kindOf({ category, rawMessage, properties }: LogRecord): string {
  const message = typeof rawMessage === "string" ? rawMessage : rawMessage.join("");
  const status = properties["status"];
  return [...category, message, ...status === undefined ? [] : [String(status)]].join(" ");
}

function own(
  level: "info" | "warning",
  text: string,
  properties: Record<string, unknown>,
): string {
  const category = ["innkeeper", "log"];
  const message = [text];
  return jsonLinesFormatter({
    ...{ category, level, message, rawMessage: text, properties, timestamp: Date.now() },
  });
}
