import { expect, it } from 'vitest';
import { hasSysResource } from '../../bed/shim/prlimit.ts';

it.each([
  ['all capabilities', '000001ffffffffff', true],
  ['all but CAP_SYS_RESOURCE', '000001fffeffffff', false],
  ['none', '0000000000000000', false],
  ['CAP_SYS_RESOURCE only', '0000000001000000', true],
])('a process with %s is told apart', (_name, mask, expected) => {
  expect(hasSysResource(`Name:\tx\nCapPrm:\tffff\nCapEff:\t${mask}\n`)).toBe(expected);
});
