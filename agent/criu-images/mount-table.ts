import { imageEntries } from './image-file.ts';

/** A mount of a dumped mount namespace (mnt_entry). */
export type MountEntry = {
  readonly mountPoint: string;
  /** fstype of mnt.proto. */
  readonly fileSystem: number;
  readonly root: string;
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
    flags: entry.requiredWord(5),
    externalAs: entry.text(18),
  }));
