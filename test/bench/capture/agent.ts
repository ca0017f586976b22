import { readdirSync, readFileSync } from 'node:fs';
import { systemNamespace } from '../../../core/api/names.ts';
import { sleep, systemClock } from '../../../core/clock.ts';
import type { Bed } from '../../bed/bed.ts';
import { sumOf } from '../control-plane/controller-process.ts';
import { type Usage, usageOf } from '../proc-usage.ts';

const never = new AbortController().signal;
const sampleMilliseconds = 25;

/** The agent of the bed's node, looked at from outside. */
export type AgentProcess = {
  readonly usage: () => Usage;
  /** Seconds that publishes have taken in all, and how many there were. */
  readonly published: () => Promise<{ readonly seconds: number; readonly count: number }>;
  /** Resolves `work` to its result and the greatest resident set meanwhile, in MiB. */
  readonly peakDuring: <T>(work: () => Promise<T>) => Promise<readonly [T, number]>;
};

/** Finds the agent's process: the only one of its program in the node's process namespace. */
export async function findAgent(bed: Bed, node: string): Promise<AgentProcess> {
  const proc = `${bed.node(node).rootPath}/proc`;
  const isAgent = (pid: string): boolean => {
    try {
      return readFileSync(`${proc}/${pid}/cmdline`, 'utf8').includes('dist/agent/main.js');
    } catch {
      return false; // it has ended meanwhile
    }
  };
  const pid = Number(
    readdirSync(proc)
      .filter((name) => /^[0-9]+$/.test(name))
      .find(isAgent),
  );
  if (Number.isNaN(pid)) throw new Error(`no agent runs on ${node}`);
  const words = ['get', 'pods', '-n', systemNamespace, '-o', 'name'];
  const names = (await bed.kubectl([...words, `--field-selector=spec.nodeName=${node}`])).split(
    '\n',
  );
  const pod = names.find((name) => name.includes('cryopod-agent'))?.replace('pod/', '') ?? '';
  const metricsPath = `/api/v1/namespaces/${systemNamespace}/pods/${pod}:8080/proxy/metrics`;
  const usage = (): Usage => usageOf(pid, proc);
  return {
    usage,
    published: async () => {
      const text = await bed.kubectl(['get', '--raw', metricsPath]);
      return {
        seconds: sumOf(text, 'cryopod_capture_publish_seconds_sum'),
        count: sumOf(text, 'cryopod_capture_publish_seconds_count'),
      };
    },
    peakDuring: async (work) => {
      const ended = new AbortController();
      let peak = usage().residentMebibytes;
      const sampling = (async () => {
        while (!ended.signal.aborted) {
          peak = Math.max(peak, usage().residentMebibytes);
          await sleep(systemClock, sampleMilliseconds, never);
        }
      })();
      try {
        return [await work(), peak];
      } finally {
        ended.abort();
        await sampling;
      }
    },
  };
}

/** Resident set and share of one processor of an agent that has nothing to do. */
export async function idleFigures(
  agent: AgentProcess,
  forMilliseconds: number,
): Promise<{ readonly residentMebibytes: number; readonly processorShare: number }> {
  const before = agent.usage();
  await sleep(systemClock, forMilliseconds, never);
  const after = agent.usage();
  return {
    residentMebibytes: after.residentMebibytes,
    processorShare: (after.processorSeconds - before.processorSeconds) / (forMilliseconds / 1000),
  };
}
