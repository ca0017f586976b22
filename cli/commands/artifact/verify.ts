import { type Damage, findDamage } from '../../../agent/artifact/verify.ts';
import type { ReferenceKey, SnapshotStore } from '../../../agent/store/store.ts';
import { isFailure } from '../../../core/failure.ts';
import { ProgressLine } from '../../progress-line.ts';
import { json, printable } from '../../table.ts';
import { type ExitCode, exitCodes, type Terminal } from '../../terminal.ts';
import { findSnapshot, nameOf, referenceOf } from './snapshot-name.ts';

type Verdict = ReferenceKey & { readonly digest?: string; readonly damages: readonly Damage[] };

/** `artifact verify`: reads every byte of the snapshots named, or of all, and names each damaged blob. Fails when there is one. */
export async function verifyArtifacts(
  store: SnapshotStore,
  names: readonly string[],
  options: { readonly output: 'table' | 'json' },
  terminal: Terminal,
): Promise<ExitCode> {
  const { signal, output } = terminal;
  const line = new ProgressLine(terminal);
  const checked = new Map<string, Damage | undefined>();
  const verdicts: Verdict[] = [];
  try {
    for (const key of await keysOf(store, names, signal)) {
      const verdict = await verify(store, key, checked, line, signal);
      verdicts.push(verdict);
      line.clear();
      if (options.output === 'table') output.write(asText(verdict));
    }
  } finally {
    line.clear();
  }
  if (options.output === 'json') output.write(json(verdicts));
  else if (verdicts.length === 0) output.write('The store holds no snapshots.\n');
  const intact = verdicts.every(({ damages }) => damages.length === 0);
  return intact ? exitCodes.done : exitCodes.failed;
}

async function keysOf(
  store: SnapshotStore,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly ReferenceKey[]> {
  const keys: ReferenceKey[] = [];
  for (const name of names) keys.push(await findSnapshot(store, name, signal));
  if (names.length === 0) {
    for await (const key of store.listKeys(signal)) keys.push(key);
  }
  return keys;
}

async function verify(
  store: SnapshotStore,
  key: ReferenceKey,
  checked: Map<string, Damage | undefined>,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<Verdict> {
  try {
    const reference = await referenceOf(store, key, signal);
    const show = (done: number, total: number): void => line.show(nameOf(key), done, total);
    const onProgress = (bytes: { readonly bytesDone: number; readonly bytesTotal: number }) =>
      show(bytes.bytesDone, bytes.bytesTotal);
    const damages = await findDamage(store, reference, checked, onProgress, signal);
    return { ...key, digest: reference.digest, damages };
  } catch (error) {
    if (!isFailure(error, 'terminal', 'gone')) throw error;
    return { ...key, damages: [{ digest: undefined, message: error.message }] };
  }
}

function asText(verdict: Verdict): string {
  const name = nameOf(verdict);
  if (verdict.damages.length === 0) return `${name}: intact\n`;
  return verdict.damages.map(({ message }) => `${name}: ${printable(message)}\n`).join('');
}
