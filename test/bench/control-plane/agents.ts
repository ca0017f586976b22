import * as z from 'zod';
import { createLog } from '../../../runtime/log.ts';
import { startSimulatedAgent } from './simulated-agent.ts';

/*
 * Program: many simulated agents in one process, told by argv which. Says `ready` on standard output when all take orders; ends with its input, so that
 * none outlives the bench.
 */
const order = z
  .object({
    publishMilliseconds: z.number(),
    agents: z.array(z.object({ nodeName: z.string(), kubeconfigPath: z.string() })),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'));

process.stdin.on('end', () => process.exit(0)).resume();
const log = createLog({ name: 'agents', level: 'warn' });
const { publishMilliseconds } = order;
for (const agent of order.agents) {
  // Never aborted: the process ends them all. One each, as so many listeners on one would be reported as a leak.
  const { signal } = new AbortController();
  await startSimulatedAgent({ ...agent, publishMilliseconds }, log, signal);
}
process.stdout.write('ready\n');
