import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { heldBackBelow, pressureText } from '../../../../agent/order/held-back.ts';
import { parsePressure, readPressure } from '../../../../agent/proc/pressure.ts';

const root = mkdtempSync(join(tmpdir(), 'cryopod-pressure-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** As Linux 6.1 prints it. */
const recorded = `some avg10=20.80 avg60=37.07 avg300=30.39 total=150805592
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
`;

describe('pressure of the node', () => {
  it('is the share of the last ten seconds in which some task waited', () => {
    expect(parsePressure(recorded)).toBe(20.8);
    expect(parsePressure('full avg10=1.00 avg60=0.00 avg300=0.00 total=0\n')).toBeUndefined();
    expect(parsePressure('')).toBeUndefined();
  });

  it('is not known where the kernel does not tell', async () => {
    expect(await readPressure(root)).toEqual({});
    mkdirSync(join(root, 'pressure'));
    writeFileSync(join(root, 'pressure/io'), recorded);
    expect(await readPressure(root)).toEqual({ io: 20.8 });
  });

  it('is what this machine tells of itself, or nothing', async () => {
    for (const percent of Object.values(await readPressure('/proc'))) {
      expect(percent).toBeGreaterThanOrEqual(0);
      expect(percent).toBeLessThanOrEqual(100);
    }
  });

  it('is said in words where it is high', () => {
    expect(pressureText({ cpu: 79.9, io: 39.9, memory: 19.9 })).toBeUndefined();
    expect(pressureText({ cpu: 12, io: 40, memory: 55.5 })).toBe(
      'the node is under pressure: tasks wait for io 40 % (limit 40 %), memory 55.5 % (limit 20 %)',
    );
  });

  it('holds back low priorities alone, and one log line says where nobody knows it', async () => {
    const lines: string[] = [];
    const log = { warn: (_fields: object, line: string) => void lines.push(line) };
    const high = heldBackBelow(0, async () => ({ io: 90 }), log);
    expect(await high(0)).toBeUndefined();
    expect(await high(-1)).toMatch(/io 90 %/);
    const unknown = heldBackBelow(0, async () => ({}), log);
    expect(await unknown(-1)).toBeUndefined();
    expect(await unknown(-1)).toBeUndefined();
    expect(lines).toHaveLength(1);
  });
});
