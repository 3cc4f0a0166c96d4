/**
 * As much of Redis' protocol (RESP3) as the comparison needs: commands, and answers of
 * numbers, strings, arrays and pushed messages. Less than a client library does, which is to
 * Redis' favour.
 *
 * @module
 */

/** An answer; arrays and maps are flat lists of what is in them. */
export type Reply = number | string | null | readonly Reply[];

const CR = 0x0d;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** One connection, on which commands are answered in order and messages are pushed in between. */
export class RedisConnection {
  readonly #connection: Deno.TcpConn;
  readonly #waiting: ((reply: Reply) => void)[] = [];
  #bytes = new Uint8Array();
  #at = 0;

  private constructor(
    connection: Deno.TcpConn,
    readonly onPush: (message: readonly Reply[]) => void,
  ) {
    this.#connection = connection;
    void this.#read();
  }

  /** Connects, and asks for RESP3, where one connection may both subscribe and send commands. */
  static async open(
    port: number,
    onPush: (message: readonly Reply[]) => void = () => {},
  ): Promise<RedisConnection> {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    tcp.setNoDelay();
    const connection = new RedisConnection(tcp, onPush);
    await connection.send("HELLO", "3");
    return connection;
  }

  /** Sends a command and returns its answer. */
  async send(...args: readonly string[]): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.push(resolve);
    await this.#write(args);
    return await promise;
  }

  /** Subscribes; the answer to that is a pushed message itself. */
  async subscribe(channel: string): Promise<void> {
    await this.#write(["SUBSCRIBE", channel]);
  }

  close(): void {
    this.#connection.close();
  }

  async #write(args: readonly string[]): Promise<void> {
    const text = args.map((arg) => `$${encoder.encode(arg).length}\r\n${arg}\r\n`).join("");
    const bytes = encoder.encode(`*${args.length}\r\n${text}`);
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(16 * 1024);
    for (;;) {
      const size = await this.#connection.read(chunk).catch(() => null);
      if (size === null) return;
      const rest = this.#bytes.subarray(this.#at);
      this.#bytes = new Uint8Array(rest.length + size);
      this.#bytes.set(rest);
      this.#bytes.set(chunk.subarray(0, size), rest.length);
      this.#at = 0;
      for (;;) {
        const start = this.#at;
        const isPush = this.#bytes[start] === ">".charCodeAt(0);
        const reply = this.#next();
        if (reply === undefined) {
          this.#at = start;
          break;
        }
        if (isPush) this.onPush(reply as readonly Reply[]);
        else this.#waiting.shift()?.(reply);
      }
    }
  }

  /** @returns `undefined` when it is not whole yet */
  #next(): Reply | undefined {
    const end = this.#bytes.indexOf(CR, this.#at);
    if (end < 0 || end + 1 >= this.#bytes.length) return undefined;
    const line = decoder.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 2;
    const [sort, rest] = [line[0], line.slice(1)];
    switch (sort) {
      case ":":
        return Number(rest);
      case "+":
        return rest;
      case "_":
        return null;
      case "$":
        return this.#string(Number(rest));
      case "*":
      case ">":
        return this.#several(Number(rest));
      case "%":
        return this.#several(2 * Number(rest));
    }
    throw new Error(`Cannot read the answer "${line}"`);
  }

  #string(length: number): string | undefined {
    const end = this.#at + length;
    if (end + 2 > this.#bytes.length) return undefined;
    const text = decoder.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 2;
    return text;
  }

  #several(count: number): readonly Reply[] | undefined {
    const replies: Reply[] = [];
    for (let index = 0; index < count; index++) {
      const reply = this.#next();
      if (reply === undefined) return undefined;
      replies.push(reply);
    }
    return replies;
  }
}
