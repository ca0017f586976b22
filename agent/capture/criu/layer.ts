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
  const [size, devices] = await Promise.all([
    run(['du', '-sx', '--block-size=1', '--', directory], { signal }),
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
  return { layerBytes: Number.parseInt(size.stdout, 10) || 0, layerDevices };
}

async function isDevice(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined) return false;
  return status.isBlockDevice() || (status.isCharacterDevice() && status.rdev !== 0);
}
