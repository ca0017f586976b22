import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ArtifactContainer } from '../../../../agent/artifact/config.ts';
import { parseMountinfo } from '../../../../agent/proc/mountinfo.ts';
import { volumeArguments } from '../../../../agent/restore/criu/files.ts';
import { type VolumePlace, volumePlaces } from '../../../../agent/restore/criu/volumes.ts';
import { tarDirectory } from '../../../support/fake-dump.ts';

const volumes = '/var/lib/kubelet/pods/new/volumes';
const mounts = parseMountinfo(
  [
    '1 0 0:1 / / rw - overlay overlay rw,upperdir=/u',
    '4 3 0:4 / /dev/shm rw - tmpfs shm rw',
    `5 1 8:1 ${volumes}/kubernetes.io~empty-dir/scratch /data rw - ext4 /dev/sda rw`,
    `6 1 8:1 ${volumes}/kubernetes.io~empty-dir/scratch/a/b /part rw - ext4 /dev/sda rw`,
    '7 1 8:1 /etc /host rw - ext4 /dev/sda rw',
  ].join('\n'),
);
type Captured = { readonly path: string; readonly volume?: string; readonly subPath?: string };
const entrance = (name: string, captured: readonly Captured[]): VolumePlace['entrance'] => ({
  mounts,
  target: {
    placeholder: { pid: 1, startTicks: 1 },
    container: containerOf(name, captured),
  },
});
const containerOf = (name: string, captured: readonly Captured[]): ArtifactContainer => {
  const blob = { digest: 'sha256:' as const, sizeBytes: 0, storedBytes: 0 };
  return {
    ...{ name, image: '', imageID: '', limits: {}, frozenAt: '', freezeMilliseconds: 0 },
    ...{ criuVersion: '', criuOptions: [], stdio: [], criu: blob, memory: [], rootfs: blob },
    mounts: captured.map((mount) => ({ ...mount, treatment: 'volume' as const })),
    volumes: [...new Set(captured.map(({ volume = 'dev-shm' }) => volume))].map((volume) => ({
      name: volume,
      ...blob,
    })),
  };
};
const placesOf = (...containers: readonly (readonly Captured[])[]) =>
  volumePlaces(
    containers.map((captured, index) => entrance(`c${index}`, captured)),
    [],
    'new',
  ).map(({ volume, directory, part }) => ({ volume, directory, part }));
const targets = (_name: string, ...captured: readonly Captured[]) => placesOf(captured);

describe('a captured volume', () => {
  it('goes to the emptyDir at its path, as a whole where it is mounted so', () => {
    const whole = { path: '/data', volume: 'work' };
    expect(targets('work', { path: '/part', volume: 'work', subPath: 'a/b' }, whole)).toEqual([
      { volume: 'work', directory: '/data', part: undefined },
    ]);
    expect(targets('work', { path: '/part', volume: 'work', subPath: 'a/b' })).toEqual([
      { volume: 'work', directory: '/part', part: 'a/b' },
    ]);
  });

  it("goes to the sandbox's /dev/shm, also from an artifact that does not name its volume", () => {
    const expected = [{ volume: 'dev-shm', directory: '/dev/shm', part: undefined }];
    expect(targets('dev-shm', { path: '/dev/shm' })).toEqual(expected);
    expect(targets('dev-shm', { path: '/dev/shm', volume: 'dev-shm' })).toEqual(expected);
  });

  it('of two containers goes there once, through the one that sees all of it', () => {
    const part = { path: '/part', volume: 'work', subPath: 'a/b' };
    const whole = { path: '/data', volume: 'work' };
    expect(placesOf([part], [whole])).toEqual([
      { volume: 'work', directory: '/data', part: undefined },
    ]);
    expect(placesOf([part], [part])).toHaveLength(1);
  });

  it('goes nowhere by the word of the artifact alone', () => {
    for (const path of ['/host', '/', '/nowhere']) {
      expect(() => targets('work', { path, volume: 'work' })).toThrow(/no emptyDir/);
    }
    for (const subPath of ['../x', 'a//b', '/a', '.']) {
      expect(() => targets('work', { path: '/part', volume: 'work', subPath })).toThrow(/the part/);
    }
  });
});

describe('a part of a volume', () => {
  const directory = mkdtempSync(join(tmpdir(), 'volume-part-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('is what lies below it, and nothing else', () => {
    mkdirSync(join(directory, 'volume/a/b/deep'), { recursive: true });
    mkdirSync(join(directory, 'out'));
    writeFileSync(join(directory, 'volume/a/other'), '');
    writeFileSync(join(directory, 'volume/a/b/deep/file'), '');
    tarDirectory(join(directory, 'volume'), join(directory, 'volume.tar'));
    const input = `${directory}/volume.tar`;
    execFileSync(
      'sh',
      ['-c', 'exec tar "$@" <"$0"', input].concat(volumeArguments(join(directory, 'out'), 'a/b')),
    );
    const found = readdirSync(join(directory, 'out'), { recursive: true }).map(String).sort();
    expect(found).toEqual(['deep', 'deep/file']);
  });
});
