import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseRate, publishRate } from '../../../agent/limits.ts';
import { silentLog } from '../../../runtime/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-limits-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the publish rate', () => {
  it.each([
    ['104857600', 104_857_600],
    ['100Mi\n', 104_857_600],
    ['1Gi', 2 ** 30],
    ['512Ki', 524_288],
    ['0', undefined],
    ['0Mi', undefined],
    ['', 'unreadable'],
    ['fast', 'unreadable'],
    ['-1', 'unreadable'],
    ['1.5Mi', 'unreadable'],
    ['10M', 'unreadable'],
    ['9999999999999999', 'unreadable'],
  ])('%j is %s', (text, rate) => {
    expect(parseRate(text)).toBe(rate);
  });

  it('is read again while the agent runs; no file means no limit, nonsense changes nothing', async () => {
    const clock = new FakeClock();
    const rate = publishRate(directory, clock, silentLog);
    const file = join(directory, 'publish-bytes-per-second');
    expect(await rate()).toBeUndefined();
    writeFileSync(file, '10Mi\n');
    expect(await rate()).toBeUndefined();
    await clock.advance(2000);
    expect(await rate()).toBe(10 * 2 ** 20);
    writeFileSync(file, 'very much');
    await clock.advance(2000);
    expect(await rate()).toBe(10 * 2 ** 20);
    rmSync(file);
    await clock.advance(2000);
    expect(await rate()).toBeUndefined();
  });
});
