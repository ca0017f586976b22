import * as z from 'zod';
import { controlVolume } from './names.ts';

/** Condition of a restored pod, and its readiness gate: the pod is Ready only once its state is back. */
export const restoredCondition = 'nvidia.com/Restored';

/** Reasons of that condition. True only with RestoreSucceeded. */
export const restoreReasons = [
  'RestorePending',
  'RestoreInProgress',
  'RestoreSucceeded',
  'RestoreFailed',
  'RestoreIncompatible',
] as const;
export type RestoreReason = (typeof restoreReasons)[number];

/** Files in the control directory through which the agent and the placeholder's init (images/init) talk. */
export const placeholderFiles = {
  /** The init itself, put there by an init container. */
  init: 'init',
  /** Written by the init: its start time in ticks since the boot. What an earlier container of the pod left is gone by then. */
  waiting: 'placeholder-waiting',
  /** Written by the agent before it changes anything: the start time of the init it works for. */
  begun: 'restore-begun',
  /** Written by the agent before the process runs again: what is new in this copy of it, for random number generators (docs/identity.md). */
  restored: 'restored',
  /** Written by the agent: the restored root's number in the init's PID namespace. */
  restoredPid: 'restored-pid',
} as const;

/** The command of a placeholder's container. */
export const placeholderCommand: readonly string[] = [
  `${controlVolume.mountPath}/${placeholderFiles.init}`,
];

const shape = z.looseObject({
  readinessGates: z.array(z.looseObject({ conditionType: z.string() })).default([]),
  containers: z.array(
    z.looseObject({
      name: z.string(),
      command: z.array(z.string()).default([]),
      args: z.array(z.string()).default([]),
      volumeMounts: z
        .array(
          z.looseObject({
            name: z.string(),
            mountPath: z.string(),
            subPath: z.string().optional(),
          }),
        )
        .default([]),
    }),
  ),
  volumes: z
    .array(z.looseObject({ name: z.string(), emptyDir: z.unknown().optional() }))
    .default([]),
});

/** Why a pod cannot be restored into, one sentence each; empty for a placeholder of these containers. Pure. */
export function placeholderProblems(
  pod: { readonly spec: unknown },
  containers: readonly string[],
): readonly string[] {
  const parsed = shape.safeParse(pod.spec);
  if (!parsed.success) return [`the pod does not parse: ${z.prettifyError(parsed.error)}`];
  const spec = parsed.data;
  const problems: string[] = [];
  if (!spec.readinessGates.some((gate) => gate.conditionType === restoredCondition)) {
    problems.push(`spec.readinessGates lacks ${restoredCondition}`);
  }
  if (!spec.volumes.some((one) => one.name === controlVolume.name && one.emptyDir !== undefined)) {
    problems.push(`there is no emptyDir ${controlVolume.name}`);
  }
  for (const name of containers) {
    const container = spec.containers.find((one) => one.name === name);
    if (container === undefined) {
      problems.push(`there is no container ${name}, which the snapshot holds`);
      continue;
    }
    const command = [...container.command, ...container.args];
    if (command.join('\0') !== placeholderCommand.join('\0')) {
      problems.push(`container ${name} does not run ${placeholderCommand.join(' ')}`);
    }
    const mounted = container.volumeMounts.some(
      (mount) =>
        mount.name === controlVolume.name &&
        mount.mountPath === controlVolume.mountPath &&
        mount.subPath === name,
    );
    if (!mounted) {
      problems.push(
        `container ${name} does not mount ${controlVolume.name} at ${controlVolume.mountPath} with subPath ${name}`,
      );
    }
  }
  return problems;
}
