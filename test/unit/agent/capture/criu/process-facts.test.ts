import { expect, test } from 'vitest';
import { mappedDevices } from '../../../../../agent/capture/criu/process-facts.ts';

test('device files in the memory map are found once each', () => {
  const maps = [
    '7f00-7f01 rw-s 00000000 00:05 123                        /dev/nvidia0',
    '7f02-7f03 rw-s 00000000 00:05 123                        /dev/nvidia0',
    '7f04-7f05 rw-s 00000000 00:01 9                          /dev/zero (deleted)',
    '7f06-7f07 r-xp 00000000 08:01 77                         /usr/lib/dev/x.so',
    '7f08-7f09 rw-p 00000000 00:00 0 ',
  ].join('\n');
  expect(mappedDevices(maps)).toEqual(['/dev/nvidia0', '/dev/zero (deleted)']);
});
