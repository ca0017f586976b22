/** Names that somebody who typed `name` may have meant, nearest first: few letters apart, or one within the other. Pure. */
export function closeNames(name: string, names: readonly string[]): readonly string[] {
  const near = Math.min(name.length - 1, Math.max(2, Math.floor(name.length / 3)));
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

/** Levenshtein's: how many letters to add, drop or change. */
function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...to].entries()) {
      const changed = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
