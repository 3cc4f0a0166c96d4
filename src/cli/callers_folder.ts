/** The folder of this program, where tasks are run. */
const APP = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/**
 * Goes back to the folder in which the user called a task. Deno runs tasks in the folder of
 * deno.json and says in `INIT_CWD` where the caller was; paths on the command line mean that one.
 * Elsewhere the variable is left over from somebody else's task.
 */
export function enterCallersFolder(): void {
  const folder = Deno.env.get("INIT_CWD");
  if (folder === undefined) return;
  // Whatever this process starts must not take it for its own.
  Deno.env.delete("INIT_CWD");
  if (Deno.cwd() === APP) Deno.chdir(folder);
}
