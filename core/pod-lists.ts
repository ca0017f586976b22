/** An entry of a list that Kubernetes merges by name: containers, volumes, variables. */
type Named = { readonly name: string };

/** The list with `entry` in the place of its namesake, or at the end. */
export function withNamed<T extends Named>(list: readonly T[] | undefined, entry: T): T[] {
  const before = list ?? [];
  return before.some((other) => other.name === entry.name)
    ? before.map((other) => (other.name === entry.name ? entry : other))
    : [...before, entry];
}

/** Whether two mount paths are the same place. */
export const samePath = (left: string, right: string): boolean =>
  left.replace(/\/+$/, '') === right.replace(/\/+$/, '');

/** The mounts with exactly one at `mount.mountPath`, in the place of the first that was there. */
export function withMount<T extends { readonly mountPath: string }>(
  mounts: readonly T[] | undefined,
  mount: T,
): T[] {
  const before = mounts ?? [];
  const first = before.findIndex((other) => samePath(other.mountPath, mount.mountPath));
  if (first < 0) return [...before, mount];
  return before.flatMap((other, index) => {
    if (index === first) return [mount];
    return samePath(other.mountPath, mount.mountPath) ? [] : [other];
  });
}
