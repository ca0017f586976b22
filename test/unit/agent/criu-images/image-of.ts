import { type ImageKind, imageHead } from '../../../../agent/criu-images/image-file.ts';
import { encodeFields, type Field } from '../../../../agent/criu-images/protobuf.ts';

/** A field by its type: numbers as varints, text and messages with their length. A list makes a repeated field. */
export type Value = number | bigint | string | Buffer | readonly Value[];

function fieldsOf(field: number, value: Value): readonly Field[] {
  if (typeof value === 'number' || typeof value === 'bigint') {
    return [{ field, value: BigInt.asUintN(64, BigInt(value)) }];
  }
  if (typeof value === 'string') return [{ field, bytes: Buffer.from(value) }];
  if (Buffer.isBuffer(value)) return [{ field, bytes: value }];
  return value.flatMap((each) => fieldsOf(field, each));
}

/** A protobuf message of these fields. */
export const message = (fields: Readonly<Record<number, Value>>): Buffer =>
  encodeFields(Object.entries(fields).flatMap(([field, value]) => fieldsOf(Number(field), value)));

/** An image as CRIU frames it. */
export const imageOf = (kind: ImageKind, ...entries: readonly Buffer[]): Buffer =>
  Buffer.concat([
    imageHead(kind),
    ...entries.flatMap((entry) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(entry.byteLength);
      return [length, entry];
    }),
  ]);
