import { ProtocolError } from "./protocol_error.ts";

/** Bytes of each type of field. */
const FIELD_BYTES = { u16: 2, u32: 4, i32: 4, u64: 8 } as const;

type FieldType = keyof typeof FIELD_BYTES;

/** A C structure without gaps: its fields in order. Padding is a field as well. */
type Fields = Readonly<Record<string, FieldType>>;

/** The values of a structure: 64-bit fields are bigints. */
type Values<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends "u64" ? bigint : number;
};

/**
 * One structure of the FUSE protocol, in the host's byte order. Innkeeper runs on little-endian
 * hosts only (x86-64 and arm64).
 */
export class Struct<F extends Fields> {
  /** Length of the structure. */
  readonly bytes: number;
  readonly #fields: readonly { name: string; type: FieldType; at: number }[];

  constructor(readonly name: string, fields: F) {
    let at = 0;
    this.#fields = Object.entries(fields).map(([name, type]) => {
      const field = { name, type, at };
      at += FIELD_BYTES[type];
      return field;
    });
    this.bytes = at;
  }

  /**
   * Reads the structure at an offset.
   *
   * @throws {ProtocolError} when it does not fit
   */
  decode(view: DataView, at: number): Values<F> {
    if (at + this.bytes > view.byteLength) {
      throw new ProtocolError(
        `Cannot read ${this.name}: ${view.byteLength - at} of ${this.bytes} bytes are there`,
      );
    }
    const values: Record<string, number | bigint> = {};
    for (const field of this.#fields) values[field.name] = readField(view, at + field.at, field);
    return values as Values<F>;
  }

  /** Writes the structure at an offset; fields that are left out become 0. */
  encode(view: DataView, at: number, values: Partial<Values<F>>): void {
    for (const field of this.#fields) {
      const value = (values as Record<string, number | bigint | undefined>)[field.name];
      writeField(view, at + field.at, field.type, value);
    }
  }
}

function readField(view: DataView, at: number, { type }: { type: FieldType }): number | bigint {
  switch (type) {
    case "u16":
      return view.getUint16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "u64":
      return view.getBigUint64(at, true);
  }
}

function writeField(
  view: DataView,
  at: number,
  type: FieldType,
  value: number | bigint | undefined,
): void {
  if (type === "u64") view.setBigUint64(at, value as bigint ?? 0n, true);
  else if (type === "u16") view.setUint16(at, value as number ?? 0, true);
  else if (type === "i32") view.setInt32(at, value as number ?? 0, true);
  else view.setUint32(at, value as number ?? 0, true);
}
