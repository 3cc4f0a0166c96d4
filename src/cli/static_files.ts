const CONSOLE = new URL("../console/", import.meta.url);

/**
 * The files of the web pages. The daemon may read the program's own folder, where those of the
 * console are. It imports those of Swagger UI as text, which needs no permission.
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

/** Files of the API's page that are in the console's folder. */
const OF_DOCS: ReadonlySet<string> = new Set(["index.html", "docs.js"]);
