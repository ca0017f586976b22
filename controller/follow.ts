/**
 * A change handler that passes a change on to the keys that depend on the object. A deletion comes without the object, so the keys are
 * remembered from when it was last seen.
 */
export function followedBy<T>(
  targetsOf: (object: T) => readonly string[],
  add: (key: string) => void,
): (key: string, object: T | undefined) => void {
  const remembered = new Map<string, readonly string[]>();
  return (key, object) => {
    const before = remembered.get(key) ?? [];
    const now = object === undefined ? [] : targetsOf(object);
    if (now.length === 0) remembered.delete(key);
    else remembered.set(key, now);
    for (const target of new Set([...before, ...now])) add(target);
  };
}
