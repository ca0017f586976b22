/** A field of a protobuf message as it stands: `value` for a number, `bytes` for what has a length. */
export type Field =
  | { readonly field: number; readonly value: bigint }
  | { readonly field: number; readonly bytes: Buffer };

/** Seven bits a byte, the lowest first; the eighth says that more follows. */
export function varint(value: bigint): readonly number[] {
  const bytes: number[] = [];
  let left = value;
  while (left > 0x7fn) {
    bytes.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  return [...bytes, Number(left)];
}

function varintAt(
  bytes: Buffer,
  start: number,
): { readonly value: bigint; readonly end: number } | undefined {
  let value = 0n;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  return undefined;
}

/** The numbers of a packed list; undefined where it is malformed. */
export function parsePacked(bytes: Buffer): readonly bigint[] | undefined {
  const values: bigint[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const read = varintAt(bytes, at);
    if (read === undefined) return undefined;
    values.push(read.value);
    at = read.end;
  }
  return values;
}

/** The fields of a message in their order; undefined where it is malformed or has others than numbers and lengths, which CRIU's rarely do. */
export function parseFields(message: Buffer): readonly Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const number = (): bigint | undefined => {
    const read = varintAt(message, at);
    at = read?.end ?? at;
    return read?.value;
  };
  while (at < message.byteLength) {
    const key = number();
    const value = number();
    if (key === undefined || value === undefined) return undefined;
    const field = Number(key >> 3n);
    if ((key & 7n) === 0n) fields.push({ field, value });
    else if ((key & 7n) === 2n) {
      const end = at + Number(value);
      if (end > message.byteLength) return undefined;
      fields.push({ field, bytes: message.subarray(at, end) });
      at = end;
    } else return undefined;
  }
  return fields;
}

/** The message of these fields. */
export function encodeFields(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap((each) =>
      'bytes' in each
        ? [
            Buffer.from([
              ...varint(BigInt(each.field << 3) | 2n),
              ...varint(BigInt(each.bytes.byteLength)),
            ]),
            each.bytes,
          ]
        : [Buffer.from([...varint(BigInt(each.field << 3)), ...varint(each.value)])],
    ),
  );
}
