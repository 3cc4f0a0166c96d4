const CONSOLE = new URL("../console/", import.meta.url);

/**
 * The files of the pages. Those of the console lie in the program's own folder, which the daemon
 * may read; those of Swagger UI are modules of text, for which no permission is needed.
 */
export const pageFiles = {
  async console(name: string): Promise<string | undefined> {
    try {
      return await Deno.readTextFile(new URL(name, CONSOLE));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  },

  async docs(name: string): Promise<string | undefined> {
    if (name === "swagger-ui-bundle.js") {
      return (await import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } }))
        .default;
    }
    if (name === "swagger-ui.css") {
      return (await import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } })).default;
    }
    return OF_DOCS.has(name) ? await this.console(name.replace("index", "docs")) : undefined;
  },
};

/** What of the console's folder belongs to the page of the API. */
const OF_DOCS: ReadonlySet<string> = new Set(["index.html", "docs.js"]);
