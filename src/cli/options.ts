/** The kinds of options, and the type of their values. */
interface ValueTypes {
  readonly switch: boolean;
  readonly text: string;
  /** An option that may be given several times. */
  readonly texts: readonly string[];
  /** A whole number. */
  readonly number: number;
}

/** An option of a command. */
export interface OptionSpec {
  readonly kind: keyof ValueTypes;
  /** What stands for its value in the help. */
  readonly value?: string;
  readonly help: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
}

/** An argument of a command that is no option. */
interface ArgumentSpec {
  readonly help: string;
  readonly optional?: boolean;
  readonly choices?: readonly string[];
}

export type Options = Readonly<Record<string, OptionSpec>>;
export type Arguments = Readonly<Record<string, ArgumentSpec>>;

/** The values of options by name. */
export type OptionValues<O extends Options> =
  & {
    readonly [N in keyof O as O[N] extends { required: true } ? N : never]: ValueTypes[
      O[N]["kind"]
    ];
  }
  & {
    readonly [N in keyof O as O[N] extends { required: true } ? never : N]?: ValueTypes[
      O[N]["kind"]
    ];
  };

/** The values of arguments by name. */
export type ArgumentValues<A extends Arguments> =
  & { readonly [N in keyof A as A[N] extends { optional: true } ? never : N]: string }
  & { readonly [N in keyof A as A[N] extends { optional: true } ? N : never]?: string };

/** An option without a value. */
export function flag(help: string) {
  return { kind: "switch", help } as const;
}

/** An option with a text; `value` stands for it in the help. */
export function text(value: string, help: string) {
  return { kind: "text", value, help } as const;
}

/** An option with a text that may be given several times. */
export function texts(value: string, help: string) {
  return { kind: "texts", value, help } as const;
}

/** An option with a whole number. */
export function number(value: string, help: string) {
  return { kind: "number", value, help } as const;
}

/** An option that must be given. */
export function required<const O extends OptionSpec>(option: O) {
  return { ...option, required: true } as const;
}
