import type { HeaderForm, Run, Target } from '../../agent/capture/criu/page-server/protocol.ts';

/** What CRIU sends, put together byte by byte. */
export const commands = {
  add: 1,
  hole: 2,
  oldOpen: 3,
  open: 4,
  parent: 5,
  addWithFlags: 6,
  get: 7,
  close: 0x1023,
  forceClose: 0x1024,
} as const;

export const targetNumber = ({ kind, id }: Target): bigint =>
  (id << 8n) | (kind === 'process' ? 1n : 2n);

/** One header of either form; the padding of the long one is filled with what happened to be in memory. */
export function header(
  form: HeaderForm,
  message: {
    readonly command: number;
    readonly flags?: number;
    readonly pages?: bigint;
    readonly address?: bigint;
    readonly target?: bigint;
  },
): Uint8Array {
  const view = new DataView(new ArrayBuffer(form));
  const { command, flags = 0, pages = 0n, address = 0n, target = 0n } = message;
  view.setUint32(0, ((flags << 16) | command) >>> 0, true);
  if (form === 32) {
    view.setUint32(4, 0xdead_beef, true);
    view.setBigUint64(8, pages, true);
    view.setBigUint64(16, address, true);
    view.setBigUint64(24, target, true);
  } else {
    view.setUint32(4, Number(pages), true);
    view.setBigUint64(8, address, true);
    view.setBigUint64(16, target, true);
  }
  return new Uint8Array(view.buffer);
}

export const openHeader = (form: HeaderForm, target: Target): Uint8Array =>
  header(form, { command: commands.open, target: targetNumber(target) });

export const runHeader = (form: HeaderForm, target: Target, run: Run): Uint8Array =>
  header(form, {
    command: commands.addWithFlags,
    flags: run.flags,
    pages: BigInt(run.pages),
    address: run.address,
    target: targetNumber(target),
  });

export const closeHeader = (form: HeaderForm): Uint8Array =>
  header(form, { command: commands.close });
