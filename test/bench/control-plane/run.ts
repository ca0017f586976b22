import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, systemClock } from '../../../core/clock.ts';
import { type Bed, downBed, upBed } from '../../bed/bed.ts';
import { readState } from '../../bed/state.ts';
import { spreadOf } from '../figures.ts';
import { loadAverage, pressureSeconds, type Usage, usageOf } from '../proc-usage.ts';
import type { BenchResult } from '../report.ts';
import { type AuditFigures, auditFigures } from './audit.ts';
import { type ControllerProcess, compile, startController } from './controller-process.ts';
import { Hops, hops, lengthsOf } from './hops.ts';
import { arrive, drained, startAgents } from './load.ts';
import { controlPlaneResult } from './result.ts';
import { type ControlPlaneWorld, controlPlaneWorld } from './world.ts';

/** How large the cluster is and how much happens in it. */
export type ControlPlaneOptions = {
  readonly bedName: string;
  readonly agents: number;
  /** Snapshots and contents together. */
  readonly atRest: number;
  readonly perSecond: number;
  readonly inFlight: number;
  /** How long snapshots go on arriving once so many are in flight. */
  readonly plateauSeconds: number;
  readonly log: (line: string) => void;
};

const never = new AbortController().signal;
const steadyDeadlineMilliseconds = 120_000;
const drainMilliseconds = 120_000;
const restMilliseconds = 10_000;

/** Everything that was measured; times in milliseconds. */
export type ControlPlaneFigures = {
  readonly options: Omit<ControlPlaneOptions, 'log'>;
  readonly firstStartMilliseconds: number;
  readonly restartMilliseconds: number;
  readonly controllerAtRest: Usage;
  readonly controllerAtEnd: Usage;
  readonly hops: Readonly<Record<string, ReturnType<typeof spreadOf>>>;
  readonly mostInFlight: number;
  readonly captured: number;
  readonly failed: number;
  readonly audit: AuditFigures;
  readonly loadSeconds: number;
  readonly loadAverage: number;
  /** Share of the load's time in which something waited for a processor, by the kernel's pressure figures. */
  readonly processorPressure: number;
  /** Processor seconds of each process while the load lasted. */
  readonly processorSeconds: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  readonly agentWarnings: number;
};

/** Runs it on a bed of its own, which is gone afterwards whatever happened. */
export async function runControlPlane(options: ControlPlaneOptions): Promise<BenchResult> {
  const { bedName, log } = options;
  try {
    await compile();
    await downBed(bedName);
    const bed = await upBed({ name: bedName, nodes: 0, log });
    return controlPlaneResult(await measure(bed, options));
  } finally {
    await downBed(bedName);
  }
}

async function measure(bed: Bed, options: ControlPlaneOptions): Promise<ControlPlaneFigures> {
  const { agents, atRest, inFlight, perSecond, log } = options;
  const count = inFlight + Math.round(options.plateauSeconds * perSecond);
  log(`${agents} nodes, ${count} pods, ${atRest} objects at rest are being made`);
  const directory = join(bed.directory, 'bench');
  await mkdir(directory, { mode: 0o700 });
  const world = await controlPlaneWorld(bed, agents, directory);
  await world.pods('source', count);
  await world.rest(Math.floor(atRest / 2));
  log('the controller starts');
  const first = startController(bed.server, world.controllerAccount);
  const firstStartMilliseconds = await first.steady(atRest, steadyDeadlineMilliseconds);
  await first.stop('SIGTERM');
  const controller = startController(bed.server, world.controllerAccount);
  let stopAgents: () => Promise<void> = async () => {};
  try {
    const restartMilliseconds = await controller.steady(atRest, steadyDeadlineMilliseconds);
    const startedAt = new Date();
    await sleep(systemClock, Math.min(restMilliseconds, atRest), never);
    const controllerAtRest = controller.usage();
    log(`steady again after ${Math.round(restartMilliseconds)} ms; the agents start`);
    // Little's law: with so many arriving a second, each must last that long for so many to be in flight.
    const simulated = await startAgents(bed.name, world, (inFlight / perSecond) * 1000);
    stopAgents = simulated.stop;
    const load = await Promise.race([
      underLoad(world, bed, controller, simulated.pid, options, count),
      controller.lasts,
    ]);
    const audit = await auditFigures(bed.auditLogPath, load.hops.courses, startedAt);
    const courses = [...load.hops.courses.values()];
    return {
      options: { ...options, log: undefined } as Omit<ControlPlaneOptions, 'log'>,
      ...{ firstStartMilliseconds, restartMilliseconds, controllerAtRest, audit },
      controllerAtEnd: controller.usage(),
      hops: Object.fromEntries(
        Object.entries(hops).map(([name, pair]) => [name, spreadOf(lengthsOf(courses, pair))]),
      ),
      captured: courses.filter(({ ready }) => ready !== undefined).length,
      failed: courses.filter(({ failed }) => failed !== undefined).length,
      ...load.figures,
      warnings: controller.warnings(),
      agentWarnings: simulated.warnings(),
    };
  } finally {
    await controller.stop('SIGTERM');
    await stopAgents();
    world.close();
  }
}

/** The load, from its first snapshot to its last one's end. */
async function underLoad(
  world: ControlPlaneWorld,
  bed: Bed,
  controller: ControllerProcess,
  agentsPid: number,
  options: ControlPlaneOptions,
  count: number,
) {
  const { inFlight, perSecond, log } = options;
  const roles = readState(bed.name)?.processes ?? {};
  const seconds = (): Readonly<Record<string, number>> => ({
    controller: controller.usage().processorSeconds,
    apiserver: usageOf(roles.apiserver?.pid ?? 0).processorSeconds,
    etcd: usageOf(roles.etcd?.pid ?? 0).processorSeconds,
    agents: usageOf(agentsPid).processorSeconds,
    'arrivals and measuring': usageOf(process.pid).processorSeconds,
    forwarder: usageOf(roles.forwarder?.pid ?? 0).processorSeconds,
  });
  const seen = new Hops(world.admin);
  await seen.start();
  const before = seconds();
  const pressureBefore = pressureSeconds();
  const startedAt = performance.now();
  try {
    log(`${count} snapshots arrive, ${perSecond} a second`);
    const mostInFlight = await arrive(world.admin, seen, { pod: 'source', count, perSecond });
    log(`all have arrived, at most ${mostInFlight} were in flight; they end`);
    await drained(seen, (inFlight / perSecond) * 1000 + drainMilliseconds);
    const after = seconds();
    // What follows Ready: label off, lease given back, events.
    await sleep(systemClock, 2000, never);
    return {
      hops: seen,
      figures: {
        mostInFlight,
        loadSeconds: (performance.now() - startedAt) / 1000,
        loadAverage: loadAverage(),
        processorPressure:
          (pressureSeconds() - pressureBefore) / ((performance.now() - startedAt) / 1000),
        processorSeconds: Object.fromEntries(
          Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]),
        ),
      },
    };
  } finally {
    seen.stop();
  }
}
