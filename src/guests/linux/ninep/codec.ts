/**
 * The form of 9P messages: little-endian numbers, texts with a length of two bytes before them
 * (Linux, include/net/9p/9p.h).
 *
 * @module
 */

/** Bytes before the body of a message: its size, its type and its tag. */
export const HEAD_BYTES = 7;

/** A qid: what identifies a file on the server, in 13 bytes. */
export interface Qid {
  readonly type: number;
  readonly version: number;
  readonly path: bigint;
}

/** Reads the fields of a message in order. A message that is too short throws a RangeError. */
export class MessageReader {
  readonly #view: DataView;
  #at = HEAD_BYTES;

  constructor(readonly message: Uint8Array) {
    this.#view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  }

  /** Number of the message's type. */
  get type(): number {
    return this.#view.getUint8(4);
  }

  get tag(): number {
    return this.#view.getUint16(5, true);
  }

  u16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2, true);
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  u64(): bigint {
    this.#at += 8;
    return this.#view.getBigUint64(this.#at - 8, true);
  }

  /** A text as bytes, since names need not be UTF-8. */
  text(): Uint8Array {
    const length = this.u16();
    if (this.#at + length > this.message.length) throw new RangeError("text beyond the message");
    this.#at += length;
    return this.message.slice(this.#at - length, this.#at);
  }
}

/** Writes a message field by field. */
export class MessageWriter {
  #bytes = new Uint8Array(256);
  #length = HEAD_BYTES;

  /** How long the body is so far. */
  get bodyBytes(): number {
    return this.#length - HEAD_BYTES;
  }

  u8(value: number): this {
    this.#room(1)[0] = value;
    return this;
  }

  u16(value: number): this {
    const [at, view] = this.#field(2);
    view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const [at, view] = this.#field(4);
    view.setUint32(at, value, true);
    return this;
  }

  u64(value: bigint): this {
    const [at, view] = this.#field(8);
    view.setBigUint64(at, BigInt.asUintN(64, value), true);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.#room(bytes.length).set(bytes);
    return this;
  }

  text(text: Uint8Array): this {
    return this.u16(text.length).bytes(text);
  }

  qid({ type, version, path }: Qid): this {
    return this.u8(type).u32(version).u64(path);
  }

  /** The whole message. */
  message(type: number, tag: number): Uint8Array<ArrayBuffer> {
    const message = this.#bytes.slice(0, this.#length);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint8(4, type);
    view.setUint16(5, tag, true);
    return message;
  }

  #field(size: number): readonly [at: number, view: DataView] {
    const at = this.#length;
    this.#room(size);
    return [at, new DataView(this.#bytes.buffer)];
  }

  #room(size: number): Uint8Array {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return this.#bytes.subarray(at, this.#length);
  }
}
