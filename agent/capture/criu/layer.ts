import { lstat } from 'node:fs/promises';
import { run } from '../../proc/run.ts';

/** What is in a writable layer: how much space it takes, and which of its files are devices. */
export type LayerFacts = {
  readonly layerBytes: number;
  /** Paths as the container names them, a few of them. */
  readonly layerDevices: readonly string[];
};

const devicesShown = 4;

/** Looks through the writable layer without following or opening anything in it. What cannot be read counts as nothing. */
export async function readLayer(directory: string, signal: AbortSignal): Promise<LayerFacts> {
  const [layerBytes, devices] = await Promise.all([
    spaceTaken(directory, signal),
    run(['find', directory, '-xdev', '(', '-type', 'b', '-o', '-type', 'c', ')', '-print0'], {
      signal,
    }),
  ]);
  const layerDevices: string[] = [];
  for (const path of devices.stdout.split('\0')) {
    if (layerDevices.length === devicesShown) break;
    // Overlayfs marks a deleted file by a character device 0:0.
    if (path !== '' && (await isDevice(path))) layerDevices.push(path.slice(directory.length));
  }
  return { layerBytes, layerDevices };
}

/** Space a directory takes; du follows no link. What cannot be read counts as nothing. */
export async function spaceTaken(directory: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await run(['du', '-sx', '--block-size=1', '--', directory], { signal });
  return Number.parseInt(stdout, 10) || 0;
}

async function isDevice(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined) return false;
  return status.isBlockDevice() || (status.isCharacterDevice() && status.rdev !== 0);
}
