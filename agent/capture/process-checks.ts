import { type Check, nameOf, shown } from './check-wording.ts';
import type { SourceFacts } from './facts.ts';

/** What stands in the way of stopping and reading the processes themselves. */
export const processChecks = {
  tracing: ({ tracingProblem }) =>
    tracingProblem === undefined
      ? []
      : [
          `processes of this node cannot be traced: ${tracingProblem}; set it to 2 or less in the node's sysctl settings and boot the node again`,
        ],

  freezer: ({ frozenBy }) =>
    frozenBy === undefined
      ? []
      : [`the container is paused: cgroup ${shown(frozenBy)} is frozen; let it run on first`],

  tracers: (facts) =>
    facts.processes.flatMap((process) =>
      process.tracer === undefined
        ? []
        : [
            `${nameOf(process)} is traced by ${nameOf(process.tracer)}, and a process has one tracer only; end that debugger or tracer`,
          ],
    ),

  userNamespace: ({ ownUserNamespace }) =>
    ownUserNamespace
      ? [
          'the container is in a user namespace of its own (hostUsers: false, or made by its program), which cannot be captured; run it without',
        ]
      : [],

  nestedNamespaces: (facts) => nestedIn(facts),
} as const satisfies Readonly<Record<string, Check>>;

function nestedIn({ processes }: SourceFacts): readonly string[] {
  return processes
    .filter(({ nestedNamespaces }) => nestedNamespaces.length > 0)
    .map(
      (process) =>
        `${nameOf(process)} is in a ${process.nestedNamespaces.join(' and ')} namespace of its own, which cannot be saved; turn off the program's sandbox`,
    );
}
