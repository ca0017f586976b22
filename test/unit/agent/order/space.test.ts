import { describe, expect, it } from 'vitest';
import { type Room, Space } from '../../../../agent/order/space.ts';

const mebibyte = 2 ** 20;
const rooms = (staging: number, store: number, device = 'store-disk'): readonly Room[] => [
  { place: 'staging', directory: '/state', device: 'node-disk', freeBytes: staging * mebibyte },
  { place: 'store', directory: '/store', device, freeBytes: store * mebibyte },
];

describe('space for captures', () => {
  it('is given once: what one order counts on is not free for another', async () => {
    const space = new Space(async () => rooms(100, 100));
    expect(await space.reserve('a', 60 * mebibyte)).toBeUndefined();
    expect(await space.reserve('b', 60 * mebibyte)).toEqual({
      message:
        '/state has 100 MiB free, 60.0 MiB of them for other captures; this capture may need 60.0 MiB',
      forever: false,
    });
    space.release('a');
    expect(await space.reserve('b', 60 * mebibyte)).toBeUndefined();
  });

  it('is given once also to two that ask at the same moment', async () => {
    const space = new Space(async () => rooms(100, 100));
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((uid) => space.reserve(uid, 45 * mebibyte)),
    );
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(2);
    expect(space.reservedBytes('store')).toBe(90 * mebibyte);
  });

  it('is counted twice where both places share a file system', async () => {
    const space = new Space(async () => rooms(100, 100, 'node-disk'));
    expect(await space.reserve('a', 51 * mebibyte)).toMatchObject({ forever: true });
    expect(await space.reserve('a', 50 * mebibyte)).toBeUndefined();
    expect(await space.reserve('b', mebibyte)).toMatchObject({ forever: false });
  });

  it('becomes free as bytes get onto the disk, which count by themselves from then on', async () => {
    let free = 100;
    const space = new Space(async () => rooms(free, free));
    await space.reserve('a', 60 * mebibyte);
    free = 70;
    space.left('a', 'staging', 30 * mebibyte);
    space.left('a', 'store', 30 * mebibyte);
    expect(await space.reserve('b', 40 * mebibyte)).toBeUndefined();
    expect(await space.reserve('c', mebibyte)).toBeDefined();
    space.left('a', 'store', 50 * mebibyte);
    expect(space.reservedBytes('store')).toBe(70 * mebibyte);
  });

  it('says at once what would never fit, and does not mind a place that nobody knows', async () => {
    const space = new Space(async () => rooms(100, 10).slice(0, 1));
    expect(await space.reserve('a', 200 * mebibyte)).toEqual({
      message: '/state has 100 MiB free; this capture may need 200 MiB',
      forever: true,
    });
    expect(await space.reserve('a', 100 * mebibyte)).toBeUndefined();
  });

  it('may be asked for again by who has it', async () => {
    const space = new Space(async () => rooms(100, 100));
    await space.reserve('a', 80 * mebibyte);
    expect(await space.reserve('a', 90 * mebibyte)).toBeUndefined();
    expect(space.reservedBytes('staging')).toBe(90 * mebibyte);
  });
});
