/** What is known of one explanation. `ageMilliseconds` by the API server's clock, undefined before its first answer. */
export type ObservedExplanation = {
  readonly state: 'asked' | 'answered' | 'going';
  readonly ageMilliseconds: number | undefined;
};

/** What to do about it: `keep` until it is looked at again. */
export type ExplainAction =
  | { readonly do: 'answer' }
  | { readonly do: 'remove' }
  | { readonly do: 'keep'; readonly milliseconds: number }
  | { readonly do: 'nothing' };

/** Whoever asked has read the answer by then, or gone away without. */
const keepMilliseconds = 10 * 60_000;

type Rule = (ageMilliseconds: number) => ExplainAction;

const rules = {
  asked: (age) => (age > keepMilliseconds ? { do: 'remove' } : { do: 'answer' }),
  answered: (age) =>
    age > keepMilliseconds
      ? { do: 'remove' }
      : { do: 'keep', milliseconds: keepMilliseconds - age + 1 },
  going: () => ({ do: 'nothing' }),
} as const satisfies Record<ObservedExplanation['state'], Rule>;

/** The next step for an explanation. Pure and total; an unknown age counts as young, so that nothing is removed for it. */
export const decideExplanation = (observed: ObservedExplanation): ExplainAction =>
  rules[observed.state](observed.ageMilliseconds ?? 0);
