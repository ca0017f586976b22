/** Names that somebody who typed `name` may have meant, nearest first: few letters apart, or one within the other. Pure. */
export function closeNames(name: string, names: readonly string[]): readonly string[] {
  const near = Math.min(name.length - 1, Math.max(1, Math.floor(name.length / 3)));
  return names
    .map((other) => ({ other, distance: distanceOf(name, other) }))
    .filter(
      ({ other, distance }) =>
        distance <= near ||
        ([name, other].every(({ length }) => length > 2) &&
          (other.includes(name) || name.includes(other))),
    )
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, 3)
    .map(({ other }) => other);
}

/** How many letters to add, drop, change or swap with their neighbour (optimal string alignment). */
function distanceOf(from: string, to: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let index = 0; index < from.length; index += 1) {
    const next = [index + 1];
    for (let column = 0; column < to.length; column += 1) {
      const changed = (row[column] ?? 0) + (from[index] === to[column] ? 0 : 1);
      const swapped =
        from[index] === to[column - 1] && from[index - 1] === to[column]
          ? (before[column - 1] ?? 0) + 1
          : changed;
      const added = Math.min(row[column + 1] ?? 0, next[column] ?? 0) + 1;
      next.push(Math.min(changed, added, swapped));
    }
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}
