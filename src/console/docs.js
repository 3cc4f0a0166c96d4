// For reading only. To send requests the page would need a token, and the console has that.
/** @type {any} */ (globalThis).SwaggerUIBundle({
  dom_id: "#api",
  url: "/openapi.json",
  validatorUrl: null,
  supportedSubmitMethods: [],
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
});
