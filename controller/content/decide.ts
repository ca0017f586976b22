import { isTrue } from '../../core/api/conditions.ts';
import { finalizers } from '../../core/api/names.ts';
import type { Decision } from '../../core/decision.ts';
import type { ContentAction, ContentPhase, ObservedContent } from './observed.ts';

type Rule = (observed: ObservedContent) => Decision<ContentAction>;

const nothing: Decision<ContentAction> = { actions: [] };

const recheckMilliseconds = 10_000;
const noAgentMilliseconds = 60_000;
const nodeLostMilliseconds = 300_000;

/** No agent ever reported a byte of this order. */
function storedNothing({ content }: ObservedContent): boolean {
  const { artifact, attempts, startedAt } = content.status;
  return artifact === undefined && startedAt === undefined && (attempts ?? 0) === 0;
}

/** The object stays until its bytes are gone; only the agent of its node can say so. */
function deleting(observed: ObservedContent): Decision<ContentAction> {
  const { agent, content } = observed;
  if (!content.metadata.finalizers.includes(finalizers.content)) return nothing;
  if (isTrue(content.status.conditions, 'ArtifactDeleted')) {
    return { actions: [{ do: 'removeFinalizer' }] };
  }
  const silent = agent?.silentMilliseconds ?? 0;
  if (silent >= noAgentMilliseconds && storedNothing(observed)) {
    return { actions: [{ do: 'removeFinalizer' }] };
  }
  if (agent?.nodeGone === true && silent >= nodeLostMilliseconds) {
    const node = content.spec.source.nodeName ?? '';
    const digest = content.status.artifact?.digest ?? 'of unknown digest';
    const message = `Node ${node} is gone: its artifact ${digest} is written off, not deleted.`;
    return { actions: [{ do: 'writeOff', message }, { do: 'removeFinalizer' }] };
  }
  return { actions: [], againAfterMilliseconds: recheckMilliseconds };
}

/** One rule for each phase. */
export const rules = {
  Live: () => nothing,
  Deleting: deleting,
} satisfies Record<ContentPhase, Rule>;

/** Pure and total: what to do about a content. */
export function decide(observed: ObservedContent): Decision<ContentAction> {
  return rules[observed.phase](observed);
}
