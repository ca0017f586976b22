import { quantityValue } from './quantity.ts';

/** Requests and limits of a container, by resource. */
export type Resources = {
  readonly requests?: Readonly<Record<string, string | number>> | undefined;
  readonly limits?: Readonly<Record<string, string | number>> | undefined;
};

const parts = ['requests', 'limits'] as const;

/**
 * Why requests and limits cannot become what is wanted, one sentence each; empty where everything stays or grows. What a captured process
 * had it needs again; one without a limit had more than any limit would give it.
 */
export function resourceProblems(
  container: string,
  had: Resources,
  wanted: Resources,
): readonly string[] {
  return parts.flatMap((part) =>
    Object.entries(wanted[part] ?? {}).flatMap(([resource, quantity]) => {
      const before = had[part]?.[resource];
      const asked = `container ${container} asks for ${part}.${resource} ${quantity}`;
      if (before === undefined) {
        return part === 'limits' ? [`${asked}, but was captured without a limit`] : [];
      }
      const old = quantityValue(before);
      const now = quantityValue(quantity);
      if (old === undefined || now === undefined) return [`${asked}, which is no quantity`];
      return now < old ? [`${asked}, less than the captured ${before}`] : [];
    }),
  );
}

/** The resources with those wanted in the place of those there were. */
export function raisedResources(had: Resources, wanted: Resources): Resources {
  const raised: { requests?: Resources['requests']; limits?: Resources['limits'] } = { ...had };
  for (const part of parts) {
    const more = wanted[part] ?? {};
    if (Object.keys(more).length > 0) raised[part] = { ...had[part], ...more };
  }
  return raised;
}
