import type { CaptureBackend, RunningCapture } from '../../../../../agent/capture/backend.ts';
import { sleep } from '../../../../../core/clock.ts';
import { Failure } from '../../../../../core/failure.ts';
import { type FakeNode, someDump } from './fake-node.ts';
import type { Mortal } from './mortal.ts';

/** A backend whose dumps go on in the node and outlive the agent. */
export function backendOf(node: FakeNode, life: Mortal): CaptureBackend {
  const { clock } = node;
  return {
    probe: async () => node.probe,
    preflight: async () => ({
      blockers: node.blockers,
      estimatedBytes: node.estimatedBytes,
      outlook: { captured: [], lost: [] },
    }),
    start: async (request, onProcesses) => {
      if (!node.staging.has(request.stagingDirectory)) throw new Error('no staging directory');
      const processes = request.containers.map(({ name, root }, index) => ({
        container: name,
        source: root,
        criu: { pid: 9000 + 100 * node.dumps.length + index, startTicks: 1 },
      }));
      await onProcesses(processes);
      const { stagingDirectory } = request;
      const dump = await life.effect(() =>
        node.beginDump(life.number, stagingDirectory, processes),
      );
      const cut = new AbortController();
      const running: RunningCapture = {
        held: () =>
          life.wait(async () => {
            const budget = (request.freezeBudgetSeconds ?? Number.POSITIVE_INFINITY) * 1000;
            const half = Math.min(node.dumpMilliseconds, budget) / 2;
            await sleep(clock, half, cut.signal);
            request.onProgress?.(node.estimatedBytes / 2);
            await sleep(clock, half, cut.signal);
            if (budget < node.dumpMilliseconds) {
              throw new Failure('terminal', 'FreezeBudgetExceeded', 'the freeze lasted too long');
            }
            if (node.dumpTrouble !== undefined) throw node.dumpTrouble;
            for (const part of dump.parts) part.state = 'held';
          }),
        release: async (signal) => {
          await life.effect(async () => {
            signal.throwIfAborted();
            await sleep(clock, node.holdMilliseconds, signal);
            node.staging.set(request.stagingDirectory, [{ path: 'rootfs.tar', sizeBytes: 10 }]);
          });
          // An agent can die when it has told some to finish and others not.
          for (const part of dump.parts) await life.effect(() => node.endPart(dump, part));
          return someDump;
        },
        keep: (signal) =>
          life.effect(async () => {
            signal.throwIfAborted();
            await sleep(clock, node.holdMilliseconds, signal);
            node.staging.set(request.stagingDirectory, [{ path: 'rootfs.tar', sizeBytes: 10 }]);
            const budget = (request.freezeBudgetSeconds ?? Number.POSITIVE_INFINITY) * 1000;
            const broken = new AbortController();
            node.whenEnded(dump, () => broken.abort(brokenOff));
            clock.after(Math.max(0, budget - node.dumpMilliseconds), () => {
              if (dump.parts.some(({ state }) => state !== 'held')) return;
              broken.abort(new Failure('terminal', 'FreezeBudgetExceeded', 'it lasted too long'));
              node.endDump(dump);
            });
            return { dump: someDump, broken: broken.signal };
          }),
        commit: async () => {
          // An agent can die when some wait for a decision and others do not yet.
          let all = true;
          for (const part of dump.parts) {
            all = (await life.effect(() => node.commitPart(part))) && all;
          }
          return all;
        },
        abort: (why) =>
          life.effect(async () => {
            cut.abort(why);
            if (node.abortMilliseconds > 0) await sleep(clock, node.abortMilliseconds, never);
            node.endDump(dump);
            if (!node.sourceAlive) throw new Error('the source does not run');
          }),
      };
      return running;
    },
    settle: async (left, signal) => {
      const parts = node.partsOf(left.processes).map(({ part }) => part);
      await life.wait(async () => {
        while (parts.some((part) => part.state !== 'ended')) await sleep(clock, 50, signal);
      });
      return { sourceRuns: true };
    },
    findLeft: async (stagingDirectories) =>
      stagingDirectories.map((stagingDirectory) => ({
        stagingDirectory,
        processes: node.dumps
          .filter((dump) => dump.stagingDirectory === stagingDirectory)
          .flatMap(({ parts }) => parts),
      })),
    isCommitted: async ({ processes }) => {
      const parts = node.partsOf(processes);
      return parts.length > 0 && parts.every(({ part }) => part.state === 'committed');
    },
    decide: async ({ processes }, decision) => {
      for (const { dump, part } of node.partsOf(processes)) {
        await life.effect(() => {
          if (part.state === 'committed' && decision === 'end') node.endSource(life.number);
          node.endPart(dump, part);
        });
      }
      return { sourceRuns: node.sourceAlive };
    },
  };
}

const never = new AbortController().signal;
const brokenOff = new Failure('retry', 'CheckpointFailed', 'the source did not stay frozen');
