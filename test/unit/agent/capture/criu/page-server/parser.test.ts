import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  PageStreamParser,
  type Part,
} from '../../../../../../agent/capture/criu/page-server/parser.ts';
import {
  type HeaderForm,
  ProtocolError,
  pageBytes,
  type Run,
  type Target,
} from '../../../../../../agent/capture/criu/page-server/protocol.ts';
import {
  closeHeader,
  commands,
  header,
  openHeader,
  runHeader,
  targetNumber,
} from '../../../../../support/page-server-peer.ts';

const forms: readonly HeaderForm[] = [24, 32];
const one: Target = { kind: 'process', id: 1n };
const shared: Target = { kind: 'sharedMemory', id: 4_026_531_840n };

/** Parts with consecutive pieces of pages joined, so that cuts do not show. */
function joined(parser: PageStreamParser, chunks: readonly Uint8Array[]): readonly Part[] {
  const parts: Part[] = [];
  for (const chunk of chunks) {
    for (const part of parser.read(chunk)) {
      const last = parts.at(-1);
      if (part.kind === 'pages' && last?.kind === 'pages') {
        parts[parts.length - 1] = {
          kind: 'pages',
          bytes: Buffer.concat([last.bytes, part.bytes]),
        };
      } else parts.push(part);
    }
  }
  return parts;
}

const withPages = (run: Run, fill: number): Uint8Array =>
  new Uint8Array((run.flags & 4) === 0 ? 0 : run.pages * pageBytes).fill(fill);

/** A whole dump on the wire, and what is to be read from it. */
function dumpOf(
  form: HeaderForm,
  targets: readonly { readonly target: Target; readonly runs: readonly Run[] }[],
): { readonly wire: Uint8Array; readonly parts: readonly Part[] } {
  const wire: Uint8Array[] = [];
  const parts: Part[] = [];
  for (const { target, runs } of targets) {
    wire.push(openHeader(form, target));
    parts.push({ kind: 'open', target });
    runs.forEach((run, index) => {
      const bytes = withPages(run, index + 1);
      wire.push(runHeader(form, target, run), bytes);
      parts.push({ kind: 'run', target, run });
      if (bytes.length > 0) parts.push({ kind: 'pages', bytes: Buffer.from(bytes) });
    });
  }
  wire.push(closeHeader(form));
  parts.push({ kind: 'close' });
  return { wire: Buffer.concat(wire), parts };
}

/** For thousands of comparisons; a difference shows as one of digests. */
const asText = (parts: readonly Part[]): string =>
  parts
    .map((part) => {
      if (part.kind === 'pages') return hash('sha1', part.bytes);
      const run = part.kind === 'run' ? Object.values(part.run).join(',') : '';
      return `${part.kind} ${run} ${part.kind === 'close' ? '' : targetNumber(part.target)}`;
    })
    .join('; ');

const asBuffers = (parts: readonly Part[]): readonly Part[] =>
  parts.map((part) =>
    part.kind === 'pages' ? { kind: 'pages', bytes: Buffer.from(part.bytes) } : part,
  );

describe.each(forms)('headers of %i bytes', (form) => {
  const small = dumpOf(form, [
    {
      target: one,
      runs: [
        { address: 0x1000n, pages: 1, flags: 4 },
        { address: 0x9000n, pages: 2, flags: 1 },
      ],
    },
    { target: shared, runs: [{ address: 0n, pages: 1, flags: 6 }] },
  ]);

  test('a dump is read the same wherever it is cut in two', () => {
    const expected = asText(small.parts);
    for (let cut = 0; cut <= small.wire.length; cut += 1) {
      const parser = new PageStreamParser();
      const chunks = [small.wire.subarray(0, cut), small.wire.subarray(cut)];
      expect(asText(joined(parser, chunks))).toBe(expected);
      expect(parser.form).toBe(form);
    }
  });

  test('a dump is read the same one byte at a time', () => {
    const bytes = Array.from(small.wire, (byte) => Uint8Array.of(byte));
    expect(asBuffers(joined(new PageStreamParser(), bytes))).toEqual(small.parts);
  });

  test('any dump is read the same, cut anyhow', () => {
    const target = fc.record({
      kind: fc.constantFrom('process' as const, 'sharedMemory' as const),
      id: fc.bigInt({ min: 1n, max: (1n << 56n) - 1n }),
    });
    const run = fc.record({
      address: fc.bigInt({ min: 0n, max: (1n << 47n) - 1n }).map((address) => address * 4096n),
      pages: fc.integer({ min: 1, max: 3 }),
      flags: fc.constantFrom(0, 1, 2, 4, 6),
    });
    const targets = fc.array(fc.record({ target, runs: fc.array(run, { maxLength: 4 }) }), {
      minLength: 1,
      maxLength: 3,
    });
    return fc.assert(
      fc.property(targets, fc.array(fc.nat(), { maxLength: 8 }), (plan, cuts) => {
        const { wire, parts } = dumpOf(form, plan);
        const places = [0, ...cuts.map((cut) => cut % wire.length), wire.length].sort(
          (a, b) => a - b,
        );
        const chunks = places.slice(1).map((end, index) => wire.subarray(places[index], end));
        expect(asBuffers(joined(new PageStreamParser(), chunks))).toEqual(parts);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['ADD', commands.add],
    ['HOLE', commands.hole],
    ['OPEN', commands.oldOpen],
    ['GET', commands.get],
  ])('the older or lazy command %s is refused by name', (name, command) => {
    const parser = new PageStreamParser();
    const wire = header(form, { command, target: targetNumber(one) });
    expect(() => [...parser.read(wire)]).toThrow(new RegExp(name));
  });

  test.each<[string, Uint8Array]>([
    ['an unknown command', header(form, { command: 99, target: targetNumber(one) })],
    ['an unknown kind of target', header(form, { command: commands.open, target: 0x103n })],
    ['pages before an open', runHeader(form, one, { address: 0n, pages: 1, flags: 4 })],
    [
      'pages of another target than the one that is open',
      Buffer.concat([
        openHeader(form, one),
        runHeader(form, shared, { address: 0n, pages: 1, flags: 4 }),
      ]),
    ],
    [
      'a run of no pages',
      Buffer.concat([
        openHeader(form, one),
        runHeader(form, one, { address: 0n, pages: 0, flags: 4 }),
      ]),
    ],
    [
      'flags that nobody knows',
      Buffer.concat([
        openHeader(form, one),
        runHeader(form, one, { address: 0n, pages: 1, flags: 8 }),
      ]),
    ],
    [
      'pages beyond the address space',
      Buffer.concat([
        openHeader(form, one),
        runHeader(form, one, { address: (1n << 64n) - 4096n, pages: 2, flags: 4 }),
      ]),
    ],
  ])('%s is refused', (_, wire) => {
    expect(() => [...new PageStreamParser().read(wire)]).toThrow(ProtocolError);
  });

  test('a question for a parent may come before everything else', () => {
    const wire = header(form, { command: commands.parent, target: targetNumber(one) });
    expect(joined(new PageStreamParser(), [wire])).toEqual([{ kind: 'parent', target: one }]);
  });

  test.each([commands.close, commands.forceClose])(
    'a dump that ends before it opened anything is understood, whichever the form (%i)',
    (command) => {
      const parser = new PageStreamParser();
      expect(joined(parser, [header(form, { command }), new Uint8Array(3)])).toEqual([
        { kind: 'close' },
      ]);
    },
  );
});
