import { REASON_CHARS_MAX, RESEED_LINE_BYTES_MAX, RESEED_REPLIES_MAX } from "../../core/limits.ts";
import type { GuestIdentity } from "../../core/ports/guest_engine.ts";

/** What a guest's reseeder says over its line. */
export type ReseedRequest =
  /** It runs, and wants to hear of generations from now on. */
  | { readonly word: "watch"; readonly name: string }
  /** What runs in the guest has adapted to this generation. */
  | { readonly word: "ack"; readonly generation: number; readonly epoch: bigint }
  /** What runs in the guest could not adapt. */
  | {
    readonly word: "fail";
    readonly generation: number;
    readonly reason: string;
  };

/** The state of the line in a snapshot. */
export interface ReseedLineImage {
  /** Name by which the guest's reseeder watches; none when it does not. */
  readonly watching?: string | undefined;
  /** The beginning of a line that the guest has not finished. */
  readonly begun: string;
}

const NEWLINE = 0x0a;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const U32 = /^(?:0|[1-9][0-9]{0,9})$/;
const U64 = /^(?:0|[1-9][0-9]{0,19})$/;

/**
 * The conversation between a guest's reseeder and its host: lines of text over the second serial
 * line (docs/guests.md#reseed).
 *
 * ```text
 * guest: watch NAME                              host: watching NAME
 * host:  generation GENERATION EPOCH UNIQUE
 * guest: ack GENERATION EPOCH                    host: taken GENERATION
 * guest: fail GENERATION REASON…                 host: taken GENERATION
 *                                                host: error REASON…
 * ```
 *
 * The host repeats a generation until the guest has confirmed exactly that one.
 */
export class ReseedLine {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  #listener: (request: ReseedRequest) => void = () => {};
  #begun: number[] = [];
  #isTooLong = false;
  #watching: string | undefined;
  /** What waits to be sent: replies, and the newest generation. */
  #replies: string[] = [];
  #generation: string | undefined;
  #isSaying = false;

  /** @param send Resolves when the guest's end of the line has taken the bytes */
  constructor(send: (bytes: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  /** Name by which the guest's reseeder watches; none when it does not. */
  get watching(): string | undefined {
    return this.#watching;
  }

  /** Sets who gets the guest's requests. The listener must not throw. */
  onRequest(listener: (request: ReseedRequest) => void): void {
    this.#listener = listener;
  }

  /** The guest has written this. */
  append(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === NEWLINE) this.#end();
      else if (this.#begun.length < RESEED_LINE_BYTES_MAX) this.#begun.push(byte);
      else this.#isTooLong = true;
    }
  }

  #end(): void {
    const text = new TextDecoder().decode(Uint8Array.from(this.#begun)).trim();
    const isTooLong = this.#isTooLong;
    this.#begun = [];
    this.#isTooLong = false;
    if (text === "") return;
    const request = isTooLong ? undefined : requestOf(text);
    if (request === undefined) {
      return this.error(isTooLong ? "the line is too long" : "no such request");
    }
    if (request.word === "watch") {
      this.#watching = request.name;
      this.#say(`watching ${request.name}`);
    }
    this.#listener(request);
  }

  /** Sends the generation to be confirmed, in the place of an older one that still waits. */
  generation({ generation, epoch, unique }: GuestIdentity): void {
    this.#generation = `generation ${generation} ${epoch} ${unique}`;
    void this.#sayAll();
  }

  /** Sends that a confirmation, or a failure, was taken. */
  taken(generation: number): void {
    this.#generation = undefined;
    this.#say(`taken ${generation}`);
  }

  /** Sends what is wrong with a request. */
  error(reason: string): void {
    this.#say(`error ${reason}`);
  }

  get image(): ReseedLineImage {
    const begun = new TextDecoder().decode(Uint8Array.from(this.#begun));
    return { watching: this.#watching, begun };
  }

  set image({ watching, begun }: ReseedLineImage) {
    this.#watching = watching;
    this.#begun = [...new TextEncoder().encode(begun)];
  }

  #say(text: string): void {
    // More replies are dropped: they are for a guest that sends requests and does not read.
    if (this.#replies.length < RESEED_REPLIES_MAX) this.#replies.push(text);
    void this.#sayAll();
  }

  /** Sends one line at a time, so that at most one that the guest reads late is out of date. */
  async #sayAll(): Promise<void> {
    if (this.#isSaying) return;
    this.#isSaying = true;
    try {
      for (let text = this.#next(); text !== undefined; text = this.#next()) {
        await this.#send(new TextEncoder().encode(`${text}\n`));
      }
    } catch {
      // The guest has ended.
    } finally {
      this.#isSaying = false;
    }
  }

  #next(): string | undefined {
    const reply = this.#replies.shift();
    if (reply !== undefined) return reply;
    const generation = this.#generation;
    this.#generation = undefined;
    return generation;
  }
}

function requestOf(text: string): ReseedRequest | undefined {
  const [word, first = "", ...rest] = text.split(" ");
  if (word === "watch" && NAME.test(first) && rest.length === 0) return { word, name: first };
  if (!U32.test(first)) return undefined;
  const generation = Number(first);
  if (word === "ack" && rest.length === 1 && U64.test(rest[0] ?? "")) {
    return { word, generation, epoch: BigInt(rest[0] ?? "") };
  }
  if (word === "fail" && rest.length > 0) {
    return { word, generation, reason: rest.join(" ").slice(0, REASON_CHARS_MAX) };
  }
  return undefined;
}
