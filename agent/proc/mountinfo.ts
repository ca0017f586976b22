/** One line of /proc/PID/mountinfo, octal escapes resolved. */
export type Mount = {
  readonly id: number;
  readonly parentID: number;
  /** Device number of the file system, `major:minor`. */
  readonly device: string;
  /** Path inside the file system that is the root of this mount. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  readonly source: string;
  /** Options of the file system itself, escapes kept. */
  readonly superOptions: readonly string[];
};

const withoutEscapes = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );

/** Parses mountinfo, in the kernel's order (of two mounts at one place the later one is seen). */
export function parseMountinfo(text: string): readonly Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    const [id, parent, device, root, mountPoint] = fields;
    if (dash < 0 || device === undefined || root === undefined || mountPoint === undefined)
      continue;
    mounts.push({
      id: Number(id),
      parentID: Number(parent),
      device,
      root: withoutEscapes(root),
      mountPoint: withoutEscapes(mountPoint),
      fileSystem: fields[dash + 1] ?? '',
      source: withoutEscapes(fields[dash + 2] ?? ''),
      superOptions: splitOptions(fields[dash + 3] ?? ''),
    });
  }
  return mounts;
}

/** Splits at commas that are not escaped: overlayfs writes a comma inside a directory name as `\,`. */
function splitOptions(text: string): readonly string[] {
  return text.split(/(?<!\\),/).filter(Boolean);
}

/** The writable layer's directory of an overlay mount, as its mounter named it; undefined for any other mount. */
export function overlayUpperDirectory(mount: Mount): string | undefined {
  if (mount.fileSystem !== 'overlay') return undefined;
  const option = mount.superOptions.find((text) => text.startsWith('upperdir='));
  return option === undefined
    ? undefined
    : withoutEscapes(option.slice('upperdir='.length)).replace(/\\([,:\\])/g, '$1');
}

/** The mounts that a path lookup can reach: at each mount point the last one. */
export function visibleMounts(mounts: readonly Mount[]): readonly Mount[] {
  const byPoint = new Map<string, Mount>();
  for (const mount of mounts) {
    byPoint.delete(mount.mountPoint);
    byPoint.set(mount.mountPoint, mount);
  }
  return [...byPoint.values()];
}

/** Where a mount is read-only; of two at one place the later one counts. */
export function readOnlyPoints(text: string): ReadonlySet<string> {
  const points = new Set<string>();
  for (const line of text.split('\n')) {
    const [, , , , mountPoint, options] = line.split(' ');
    if (mountPoint === undefined || options === undefined) continue;
    const point = withoutEscapes(mountPoint);
    if (options.split(',').includes('ro')) points.add(point);
    else points.delete(point);
  }
  return points;
}
