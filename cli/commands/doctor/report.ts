import { formatMilliseconds } from '../../../core/units.ts';
import { table } from '../../table.ts';
import { section } from '../inspect/inspection-text.ts';

/** How something went. `skipped`: it could not be tried, or does not apply, and is no fault. */
export type Outcome = 'ok' | 'failed' | 'skipped';

/** Something that was looked at. */
export type Check = {
  readonly check: string;
  readonly outcome: Outcome;
  readonly message: string;
};

/** A step of the canary of a node. */
export type Step = {
  readonly outcome: Outcome;
  readonly milliseconds?: number;
  /** Where, if not on the node itself. */
  readonly node?: string;
  readonly why?: string;
};

export const agentStates = ['alive', 'silent', 'absent', 'not wanted'] as const;
/** `absent`: its node should have one. `not wanted`: the DaemonSet leaves the node out. */
export type AgentState = (typeof agentStates)[number];

/** A row of the matrix. */
export type NodeReport = {
  readonly node: string;
  readonly agent: AgentState;
  readonly capture: Step;
  readonly freezeMilliseconds?: number;
  readonly restoreHere: Step;
  readonly restoreElsewhere: Step;
  readonly tookMilliseconds?: number;
  /** The first thing that went wrong, or why nothing was tried. */
  readonly reason: string;
};

export type Report = {
  readonly healthy: boolean;
  readonly checks: readonly Check[];
  readonly nodes: readonly NodeReport[];
};

/** A step that was not tried. */
export const skipped = (why: string): Step => ({ outcome: 'skipped', why });

/** Healthy: nothing failed, and every node that should have an agent has a living one. */
export function reportOf(checks: readonly Check[], nodes: readonly NodeReport[]): Report {
  const steps = nodes.flatMap(({ capture, restoreHere, restoreElsewhere }) => [
    ...[capture, restoreHere, restoreElsewhere],
  ]);
  const healthy =
    [...checks, ...steps].every(({ outcome }) => outcome !== 'failed') &&
    nodes.every(({ agent }) => agent === 'alive' || agent === 'not wanted');
  return { healthy, checks, nodes };
}

/** A report as people read it: the checks, then the matrix. */
export function reportText({ healthy, checks, nodes }: Report): string {
  const verdict = healthy ? 'Everything works.' : 'Something does not work.';
  return [
    table(
      ['CHECK', 'OUTCOME', 'MESSAGE'],
      checks.map(({ check, outcome, message }) => [check, outcome, message]),
    ),
    ...section(
      [
        ...['NODE', 'AGENT', 'CAPTURE', 'FREEZE', 'RESTORE HERE', 'RESTORE ELSEWHERE', 'TOOK'],
        'REASON',
      ],
      nodes.map((each) => [
        ...[each.node, each.agent, stepText(each.capture)],
        milliseconds(each.freezeMilliseconds),
        stepText(each.restoreHere),
        stepText(each.restoreElsewhere),
        milliseconds(each.tookMilliseconds),
        each.reason,
      ]),
    ),
    `${verdict}\n`,
  ].join('\n');
}

const milliseconds = (value: number | undefined): string =>
  value === undefined ? '-' : formatMilliseconds(value);

const stepText = ({ outcome, node }: Step): string =>
  outcome === 'skipped' ? '-' : node === undefined ? outcome : `${outcome} on ${node}`;
