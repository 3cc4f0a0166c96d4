import type { SystemError } from "../../core/system_error.ts";

/** An interface all of whose methods return promises. */
// deno-lint-ignore no-explicit-any -- any arguments and any answer
type Methods<Names> = { readonly [Name in keyof Names]: (...args: any[]) => Promise<any> };

/** A call of a method on another thread. It is answered once, with the same id. */
export type Call<Calls extends Methods<Calls>> = {
  readonly [Name in keyof Calls]: {
    readonly id: number;
    readonly call: Name;
    readonly args: Parameters<Calls[Name]>;
  };
}[keyof Calls];

/** What a method returned, or its error. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/** Calls of another thread that wait for their answers. */
export class PendingCalls<Calls extends Methods<Calls>> {
  readonly #post: (call: Call<Calls>) => void;
  readonly #errorOf: (text: string) => SystemError;
  readonly #waiting = new Map<number, PromiseWithResolvers<never>>();
  #nextId = 0;

  /** @param errorOf Makes the error of a call from the text that the other thread sent */
  constructor(post: (call: Call<Calls>) => void, errorOf: (text: string) => SystemError) {
    this.#post = post;
    this.#errorOf = errorOf;
  }

  call<Name extends keyof Calls>(
    call: Name,
    ...args: Parameters<Calls[Name]>
  ): ReturnType<Calls[Name]> {
    const id = this.#nextId++;
    const answered = Promise.withResolvers<never>();
    this.#waiting.set(id, answered);
    this.#post({ id, call, args });
    return answered.promise as ReturnType<Calls[Name]>;
  }

  settle(answer: Answer): void {
    const answered = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("error" in answer) answered?.reject(this.#errorOf(answer.error));
    else answered?.resolve(answer.value as never);
  }

  /** Rejects all that wait, because the other thread is gone. */
  rejectAll(error: SystemError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Does a call that came from another thread. */
export async function answerTo(
  target: object,
  { id, call, args }: { readonly id: number; readonly call: string; readonly args: unknown[] },
): Promise<Answer> {
  try {
    const method = Reflect.get(target, call) as (...args: unknown[]) => unknown;
    return { id, value: await method.apply(target, args) };
  } catch (error) {
    return { id, error: String(error) };
  }
}
