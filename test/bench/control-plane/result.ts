import type { Goal } from '../figures.ts';
import { type BenchResult, type ResultTable, shown } from '../report.ts';
import type { ControlPlaneFigures } from './run.ts';

/** The goals of the design's performance page for the control plane. */
function goalsOf(figures: ControlPlaneFigures): readonly Goal[] {
  const { audit, options } = figures;
  const most = (what: string, value: number, unit: string, limit: number): Goal => ({
    ...{ what, value, unit, limit },
    bound: 'at most',
  });
  return [
    most('writes per snapshot up to Ready', audit.writesToReady, '', 8),
    most('writes per snapshot in all', audit.writesInAll, '', 10),
    most('lists by the controller after its start', audit.controllerLists, '', 0),
    ...Object.entries(figures.hops)
      .filter(([name]) => !name.includes('to a watcher'))
      .map(([name, { p99 }]) => most(`p99 ${name}`, p99, 'ms', 250)),
    most(
      `RSS at ${options.atRest} objects`,
      figures.controllerAtRest.residentMebibytes,
      'MiB',
      300,
    ),
    most('restart to steady state', figures.restartMilliseconds / 1000, 's', 10),
  ];
}

function tablesOf(figures: ControlPlaneFigures): readonly ResultTable[] {
  const { audit, controllerAtRest, controllerAtEnd, loadSeconds } = figures;
  return [
    {
      title: 'Hops, milliseconds',
      heading: ['HOP', 'COUNT', 'P50', 'P90', 'P99', 'MOST'],
      rows: Object.entries(figures.hops).map(([name, { count, median, p90, p99, greatest }]) => [
        name,
        String(count),
        ...[median, p90, p99, greatest].map(shown),
      ]),
    },
    {
      title: 'Writes per snapshot, from the audit log',
      heading: ['WRITE', 'PER SNAPSHOT'],
      rows: [
        ...Object.entries(audit.byKind).map(([what, count]) => [what, shown(count)]),
        ['(of these) stages of an order that lasts', shown(audit.stageWrites)],
        ['(of these) renewals of its lease', shown(audit.renewals)],
        ['(beside these) events', shown(audit.events)],
      ],
    },
    {
      title: 'Requests per snapshot, reads and refused writes too',
      heading: ['REQUEST', 'PER SNAPSHOT'],
      rows: Object.entries(audit.requestsByKind).map(([what, count]) => [what, shown(count)]),
    },
    {
      title: 'Writes refused',
      heading: ['WRITE', 'COUNT'],
      rows: Object.entries(audit.refusedByKind).map(([what, count]) => [what, String(count)]),
    },
    {
      title: `Processor seconds in ${shown(loadSeconds)} s of load`,
      heading: ['PROCESS', 'SECONDS', 'PROCESSORS'],
      rows: Object.entries(figures.processorSeconds).map(([name, seconds]) => [
        name,
        shown(seconds),
        shown(seconds / loadSeconds),
      ]),
    },
    {
      title: 'Controller',
      heading: ['WHAT', 'VALUE'],
      rows: [
        ['RSS at rest', `${shown(controllerAtRest.residentMebibytes)} MiB`],
        ['RSS at its peak before the load', `${shown(controllerAtRest.peakMebibytes)} MiB`],
        ['RSS after the load', `${shown(controllerAtEnd.residentMebibytes)} MiB`],
        ['RSS at its peak', `${shown(controllerAtEnd.peakMebibytes)} MiB`],
        ['first start to steady state', `${shown(figures.firstStartMilliseconds / 1000)} s`],
        ['restart to steady state', `${shown(figures.restartMilliseconds / 1000)} s`],
        ['most snapshots in flight', String(figures.mostInFlight)],
        ['captured, failed', `${figures.captured}, ${figures.failed}`],
        ['requests to the API server', `${shown(audit.requestsPerSecond)} /s`],
        ['writes refused (conflicts)', String(audit.refused)],
        ['load average during the load', shown(figures.loadAverage)],
        [
          'time in which something waited for a processor',
          `${shown(figures.processorPressure * 100)} %`,
        ],
        ['warnings in its log', String(figures.warnings.length)],
        ["warnings in the agents' log", String(figures.agentWarnings)],
      ],
    },
  ];
}

/** What the figures say. */
export const controlPlaneResult = (figures: ControlPlaneFigures): BenchResult => ({
  name: 'control-plane',
  goals: goalsOf(figures),
  tables: tablesOf(figures),
  notes: [
    'API server, etcd, the simulated agents and the one who measures share the processors with the controller; their processor seconds stand above.',
    'Hops are measured by one watcher on its own monotonic clock; "shown to a watcher" is one write and its watch event with no controller in between.',
    'The agents are the real order machine, leases, heartbeats and events of the agent; what they leave out is the capture itself and its progress in bytes.',
  ],
  data: figures,
});
