import { expect, test } from 'vitest';
import { deviceName } from '../../../../../agent/capture/criu/descriptors.ts';
import { mappedDevices, mappedObjects } from '../../../../../agent/capture/criu/process-facts.ts';

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

test('a ring whose descriptor is closed is still seen in the memory map', () => {
  const maps = [
    '7f00-7f01 rw-s 00000000 00:0f 123                        anon_inode:[io_uring]',
    '7f02-7f03 rw-s 10000000 00:0f 123                        anon_inode:[io_uring]',
    '7f04-7f05 rw-s 00000000 00:01 9                          /secretmem (deleted)',
    '7f06-7f07 rw-p 00000000 00:00 0                          [heap]',
  ].join('\n');
  expect(mappedObjects(maps)).toEqual(['anon_inode:[io_uring]', '/secretmem (deleted)']);
});

test('a device number splits as the kernel shows it, large minors included', () => {
  expect(deviceName(0xfe00n)).toBe('254:0');
  expect(deviceName(0xb9n)).toBe('0:185');
  expect(deviceName(0x100023n)).toBe('0:291');
});
