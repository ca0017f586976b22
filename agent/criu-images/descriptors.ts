import { imageEntries } from './image-file.ts';

/** An open descriptor of a process. `fileID`: of files.img, which several may share. */
export type Descriptor = {
  readonly descriptor: number;
  readonly fileID: number;
  readonly closeOnExec: boolean;
};

/** fdinfo-<files id>.img (fdinfo_entry), in the order of the image. */
export const parseDescriptors = (name: string, image: Buffer): readonly Descriptor[] =>
  imageEntries(name, image, 'fdinfo').map((entry) => ({
    descriptor: entry.required(4),
    fileID: entry.required(1),
    closeOnExec: (entry.required(2) & 1) !== 0,
  }));

/** Ids of files that no longer have their name: their bytes are in the images, or under another name (remap_file_path_entry). */
export const parseRemapped = (name: string, image: Buffer): ReadonlySet<number> =>
  new Set(
    imageEntries(name, image, 'remapFpath')
      // Type 2 is a file of a dead process in /proc, which never had another name.
      .filter((entry) => entry.number(3) !== 2)
      .map((entry) => entry.required(1)),
  );

/** fs-<pid>.img (fs_entry). */
export function parseWorkingDirectory(
  name: string,
  image: Buffer,
): { readonly workingDirectoryID: number; readonly rootID: number } | undefined {
  const [entry] = imageEntries(name, image, 'fs');
  return entry === undefined
    ? undefined
    : { workingDirectoryID: entry.required(1), rootID: entry.required(2) };
}
