import { imageEntries } from './image-file.ts';

/** A mount of a dumped mount namespace (mnt_entry). */
export type MountEntry = {
  readonly mountPoint: string;
  /** fstype of mnt.proto. */
  readonly fileSystem: number;
  readonly root: string;
  /** Which file system, by all that is told of it: mounts of the same one are bound to each other. */
  readonly of: string;
  /** MS_* flags. */
  readonly flags: number;
  /** The name that --external gave it. */
  readonly externalAs: string | undefined;
};

/** mountpoints-<id>.img. */
export const parseMountTable = (name: string, image: Buffer): readonly MountEntry[] =>
  imageEntries(name, image, 'mountpoints').map((entry) => ({
    mountPoint: entry.text(7) ?? '',
    fileSystem: entry.requiredWord(1),
    root: entry.text(6) ?? '',
    of: JSON.stringify([entry.word(3), entry.text(8), entry.text(9), entry.text(14)]),
    flags: entry.requiredWord(5),
    externalAs: entry.text(18),
  }));
