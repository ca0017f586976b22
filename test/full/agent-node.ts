import type { Bed } from '../bed/bed.ts';
import { findAgentPid } from '../e2e/agent-pid.ts';

/** The agent of one node, as a test does harm to it. */
export type AgentOnNode = {
  /** Runs a script on the node; `agent` in it is the pid of the agent's process. Throws what it printed when it fails. */
  readonly script: (text: string) => Promise<string>;
  readonly ready: () => Promise<true>;
  /** What the agent's container wrote before its last restart. */
  readonly previousLog: () => Promise<string>;
  /** Bounds how fast the node publishes, '0' for not at all; resolves once the agent can read it. */
  readonly setPublishRate: (text: string) => Promise<void>;
};

const pods = ['-n', 'cryopod-system', '-l', 'app.kubernetes.io/component=agent'];
const rateFile =
  '/var/lib/kubelet/pods/*/volumes/kubernetes.io~configmap/limits/publish-bytes-per-second';

/** `node`: a node of the bed. */
export function agentOnNode(bed: Bed, node: string): AgentOnNode {
  const here = [...pods, '--field-selector', `spec.nodeName=${node}`];
  const podName = async (): Promise<string> =>
    (
      await bed.kubectl(['get', 'pods', ...here, '-o', 'jsonpath={.items[0].metadata.name}'])
    ).trim();
  const script = async (text: string): Promise<string> => {
    const whole = `agent() { ${findAgentPid}; }\n${text}`;
    const done = await bed.node(node).exec(['bash', '-ec', whole], { timeoutMs: 240_000 });
    if (done.exitCode !== 0) throw new Error(`${text}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  };
  return {
    script,
    ready: () =>
      bed.waitFor(
        `the agent of ${node} to be Ready`,
        async () => {
          const path = 'jsonpath={.items[*].status.containerStatuses[0].ready}';
          const text = await bed.kubectl(['get', 'pods', ...here, '-o', path]);
          return text.trim() === 'true' ? true : undefined;
        },
        360_000,
      ),
    previousLog: async () =>
      bed.kubectl(['logs', await podName(), '-n', 'cryopod-system', '--previous']),
    setPublishRate: async (text) => {
      await bed.apply(
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'cryopod-agent-limits', namespace: 'cryopod-system' },
          data: { 'publish-bytes-per-second': text },
        }),
      );
      // The kubelet brings a change with its next look at the pod; a new annotation makes it look.
      const annotation = `cryopod.dev/test-rate=${text}-${Math.random()}`;
      await bed.kubectl(['annotate', 'pods', ...pods, '--overwrite', annotation]);
      await bed.waitFor(
        `the publish rate ${text} to be on ${node}`,
        async () => {
          const found = await script(`cat ${rateFile} 2>/dev/null || true`);
          return found.trim() === text ? true : undefined;
        },
        180_000,
      );
    },
  };
}
