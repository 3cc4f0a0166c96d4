/**
 * Examples of bodies, put together from those that the schemas have. An example in a schema stands
 * for all of it; otherwise it is made of the examples of its members.
 *
 * @module
 */

/** A schema of the document. Its members are read as they come. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly example?: unknown;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly minimum?: number;
}

/** Schemas that others name, by their names. */
type Components = Readonly<Record<string, Schema>>;

/** A value that fits a schema. */
export function exampleOf(schema: Schema, components: Components): unknown {
  const { $ref, example, const: constant, allOf, properties, items, minimum } = schema;
  if (example !== undefined) return example;
  if (constant !== undefined) return constant;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  if ($ref !== undefined) {
    return exampleOf(components[$ref.slice($ref.lastIndexOf("/") + 1)] ?? {}, components);
  }
  if (allOf !== undefined) {
    const all = allOf.map((one) => exampleOf(one, components));
    return all.every((one) => typeof one === "object") ? Object.assign({}, ...all) : all[0];
  }
  const [choice] = schema.oneOf ?? schema.anyOf ?? [];
  if (choice !== undefined) return exampleOf(choice, components);
  if (properties !== undefined) {
    return Object.fromEntries(
      Object.entries(properties).map(([name, member]) => [name, exampleOf(member, components)]),
    );
  }
  switch (schema.type) {
    case "array":
      return [exampleOf(items ?? {}, components)];
    case "integer":
    case "number":
      return minimum ?? 0;
    case "boolean":
      return true;
    case "string":
      return "text";
    default:
      return {};
  }
}
