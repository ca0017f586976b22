import { Failure } from '../../core/failure.ts';
import { type Field, parseFields, parsePacked } from './protobuf.ts';

/** The failure for an image that is not as CRIU writes it. */
export const corruptImage = (where: string, why: string): Failure =>
  new Failure('terminal', 'ArtifactCorrupt', `the CRIU image ${where} is damaged: ${why}`);

/**
 * A protobuf message of an image, read as if an enemy had written it: every field is taken with the type it must have, and what has another one, or
 * none, is refused with the image's name. Fields are named by their numbers in CRIU's images/*.proto.
 */
export class Message {
  readonly #fields: readonly Field[];
  readonly #where: string;

  constructor(bytes: Buffer, where: string) {
    const fields = parseFields(bytes);
    if (fields === undefined) throw corruptImage(where, 'an entry is malformed');
    this.#fields = fields;
    this.#where = where;
  }

  /** 64 bits as they stand. */
  bits(field: number): bigint | undefined {
    const found = this.#only(field);
    if (found === undefined) return undefined;
    if (!('value' in found)) throw this.#odd(field, 'no number');
    return BigInt.asUintN(64, found.value);
  }

  /** A number that JavaScript holds exactly. */
  number(field: number): number | undefined {
    const value = this.bits(field);
    return value === undefined ? undefined : this.#exact(field, value);
  }

  required(field: number): number {
    const value = this.number(field);
    if (value === undefined) throw this.#odd(field, 'missing');
    return value;
  }

  /** A number that CRIU reads as 32 bits: of a longer one it takes the low half, and would see another number than this reader. */
  word(field: number): number | undefined {
    const value = this.number(field);
    if (value !== undefined && value >= 2 ** 32) throw this.#odd(field, 'out of range');
    return value;
  }

  requiredWord(field: number): number {
    const value = this.word(field);
    if (value === undefined) throw this.#odd(field, 'missing');
    return value;
  }

  requiredBits(field: number): bigint {
    const value = this.bits(field);
    if (value === undefined) throw this.#odd(field, 'missing');
    return value;
  }

  /** A repeated number, packed or not. */
  numbers(field: number): readonly number[] {
    return this.#fields.flatMap((each) => {
      if (each.field !== field) return [];
      const values = 'value' in each ? [each.value] : parsePacked(each.bytes);
      if (values === undefined) throw this.#odd(field, 'no list of numbers');
      return values.map((value) => this.#exact(field, value));
    });
  }

  bytes(field: number): Buffer | undefined {
    const found = this.#only(field);
    if (found === undefined) return undefined;
    if (!('bytes' in found)) throw this.#odd(field, 'no text');
    return found.bytes;
  }

  text(field: number): string | undefined {
    return this.bytes(field)?.toString('utf8');
  }

  message(field: number): Message | undefined {
    const bytes = this.bytes(field);
    return bytes === undefined ? undefined : new Message(bytes, this.#where);
  }

  messages(field: number): readonly Message[] {
    return this.#fields.flatMap((each) => {
      if (each.field !== field) return [];
      if ('bytes' in each) return [new Message(each.bytes, this.#where)];
      throw this.#odd(field, 'no message');
    });
  }

  /** CRIU writes none twice, and protobuf-c would merge two messages: what is checked must be what CRIU reads. */
  #only(field: number): Field | undefined {
    const found = this.#fields.filter((each) => each.field === field);
    if (found.length > 1) throw this.#odd(field, 'there twice');
    return found[0];
  }

  #exact(field: number, value: bigint): number {
    const number = Number(BigInt.asUintN(64, value));
    if (!Number.isSafeInteger(number)) throw this.#odd(field, 'out of range');
    return number;
  }

  #odd(field: number, how: string): Failure {
    return corruptImage(this.#where, `field ${field} of an entry is ${how}`);
  }
}
