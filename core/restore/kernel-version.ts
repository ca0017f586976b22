/** The leading numbers of a release, like 6.1.0 of `6.1.0-25-amd64`. */
function numbersOf(release: string): readonly number[] | undefined {
  const found = /^([0-9]+)\.([0-9]+)(?:\.([0-9]+))?/.exec(release);
  return found?.slice(1).map((part) => Number(part ?? 0));
}

/** Whether a kernel is as new as another, by their numbers alone; undefined where one has none. */
export function isAtLeast(release: string, wanted: string): boolean | undefined {
  const has = numbersOf(release);
  const needs = numbersOf(wanted);
  if (has === undefined || needs === undefined) return undefined;
  for (const [index, need] of needs.entries()) {
    const one = has[index] ?? 0;
    if (one !== need) return one > need;
  }
  return true;
}
