import denoJson from "../../deno.json" with { type: "json" };

/** What stands behind `deno` when the task of this name is run: its grants and its file. */
export function taskArgs(task: "innkeeper" | "start"): string[] {
  return denoJson.tasks[task].command.split(" ").slice(1);
}
