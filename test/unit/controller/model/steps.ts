import fc from 'fast-check';
import { kinds } from '../../../../core/api/kinds.ts';
import { faults, ModelWorld, type Request } from './model-world.ts';

/** Awaited, whatever it returns. */
type Act = (world: ModelWorld, pick: number) => unknown;

/** What anybody may do at any moment. */
const acts = {
  turn: (world, pick) => world.turn(pick),
  turnOfFormer: (world, pick) => world.formerTurn(pick),
  crash: (world) => world.crash(),
  takeOver: (world) => world.takeOver(),
  lag: (world, pick) => world.gate(pick).close(),
  catchUp: (world, pick) => world.gate(pick).open(),
  oneEvent: (world, pick) => world.gate(pick).openOnce(),
  loseWakeUp: (world, pick) => world.loseWakeUp(pick),
  cutStreams: (world) => world.cutStreams(),
  request: (world) => world.request(),
  deleteRequest: async (world, pick) => {
    await world.remove(kinds.dynamoCheckpoint, pick);
    await world.remove(kinds.snapshotJob, pick);
    await world.server.collectGarbage();
  },
  deleteSnapshot: (world, pick) => world.remove(kinds.podSnapshot, pick),
  deleteContent: (world, pick) => world.remove(kinds.podSnapshotContent, pick),
  deleteJob: async (world, pick) => {
    await world.remove(kinds.job, pick);
    await world.server.collectGarbage();
  },
  replacePod: async (world, pick) => {
    await world.remove(kinds.pod, pick);
    await world.pod();
  },
  cancel: (world, pick) => world.cancel(pick),
  squat: (world, pick) => world.squat(pick),
  jobsRun: (world) => world.jobs.run(),
  jobFails: (world, pick) => world.jobs.end(pick, 'Failed', 'BackoffLimitExceeded'),
  jobCompletes: (world, pick) => world.jobs.end(pick, 'Complete', 'CompletionsReached'),
  agentBegins: (world, pick) => world.agent.begin(pick),
  agentLooks: (world, pick) => world.agent.look(pick),
  agentCommits: (world) => world.agent.commit(),
  agentFails: (world, pick) => world.agent.fail(pick),
  agentLoses: (world, pick) => world.agent.lose(pick),
  agentErases: (world, pick) => world.agent.erase(pick),
  agentDies: (world) => {
    world.agent.alive = false;
  },
  agentLives: async (world) => {
    world.agent.alive = true;
    await world.agent.beat();
  },
  second: (world) => world.advance(1_000),
  halfMinute: (world) => world.advance(30_000),
} as const satisfies Record<string, Act>;

/** Something that happens. */
export type Happening = keyof typeof acts;
/** What becomes of a call, or what happens just before or after it. */
export type Disturbance = keyof typeof faults | Exclude<Happening, 'crash' | 'takeOver'>;

type During = readonly [call: number, moment: 'before' | 'after', what: Disturbance, pick?: number];
/** One step of a history; what is `during` it strikes at the calls of those numbers of a controller's turn. */
export type Step = readonly [what: Happening, pick?: number, ...during: readonly During[]];

/** One history: what was asked for, what happened, and whether the agent works in the end. */
export type History = {
  readonly request: Request;
  readonly steps: readonly Step[];
  readonly agent: 'works' | 'hangs' | 'dead';
};

const isFault = (what: Disturbance): what is keyof typeof faults => what in faults;

async function step(world: ModelWorld, [what, pick = 0, ...during]: Step): Promise<void> {
  if (what !== 'turn') await acts[what](world, pick);
  else {
    const calls = { before: 0, after: 0 };
    await world.turn(pick, async (now) => {
      calls[now] += 1;
      for (const [call, moment, disturbance, otherPick = 0] of during) {
        if (moment !== now || call !== calls[now]) continue;
        if (isFault(disturbance)) throw faults[disturbance]();
        await world.settle();
        await acts[disturbance](world, otherPick);
      }
    });
  }
  await world.settle();
}

/** Lives a history through, with all invariants looked at after every change. Throws where one is broken. */
export async function live({ request, steps, agent }: History): Promise<void> {
  const world = new ModelWorld(request);
  try {
    await world.start();
    for (const each of steps) await step(world, each);
    await world.runToTheEnd(agent);
  } finally {
    world.close();
  }
}

const weighted = <T>(weights: readonly (readonly [number, readonly T[]])[]): fc.Arbitrary<T> =>
  fc.constantFrom(
    ...weights.flatMap(([weight, all]) => all.flatMap((one) => Array<T>(weight).fill(one))),
  );

const others: readonly (readonly [
  number,
  readonly Exclude<Happening, 'turn' | 'crash' | 'takeOver'>[],
])[] = [
  [6, ['jobsRun', 'agentLooks', 'agentCommits']],
  [3, ['jobFails', 'agentBegins', 'agentFails', 'second', 'catchUp', 'oneEvent', 'turnOfFormer']],
  [2, ['lag', 'cancel', 'deleteRequest', 'deleteSnapshot', 'request', 'agentErases', 'halfMinute']],
  [1, ['jobCompletes', 'deleteContent', 'deleteJob', 'replacePod', 'squat', 'agentLoses']],
  [1, ['loseWakeUp', 'cutStreams', 'agentDies', 'agentLives']],
];

const pick = fc.nat({ max: 5 });
const disturbance = weighted<Disturbance>([
  ...others,
  [8, ['turn']],
  [8, ['crash']],
  [3, ['conflict', 'busy', 'broken']],
]);
const during: fc.Arbitrary<During> = fc.tuple(
  fc.integer({ min: 1, max: 5 }),
  fc.constantFrom('before' as const, 'after' as const),
  disturbance,
  pick,
);
const turn: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: pick.map((at): Step => ['turn', at]) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('turn' as const), pick, during) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('turn' as const), pick, during, during) },
);
const other: fc.Arbitrary<Step> = fc.tuple(
  weighted<Happening>([...others, [1, ['crash', 'takeOver']]]),
  pick,
);
const request = (kind: Request['kind']): fc.Arbitrary<Request> =>
  fc.record({
    kind: fc.constant(kind),
    backoffLimit: fc.constantFrom(0, 1),
    keepsJobs: fc.constantFrom(false, false, false, true),
    deletionPolicy: fc.constantFrom('Delete', 'Delete', 'Retain'),
  });

/** How things go when nothing happens; a history leaves this course at any point. */
const course: readonly Step[] = [
  ...(['turn', 'jobsRun', 'jobsRun', 'turn', 'turn', 'turn', 'agentBegins', 'turn'] as const),
  ...(['agentLooks', 'agentCommits', 'turn', 'turn', 'turn'] as const),
].map((what): Step => [what]);

/** What turns a course into another, at once. */
const turns: readonly Happening[] = [
  ...(['jobFails', 'jobCompletes', 'cancel', 'deleteSnapshot', 'deleteRequest'] as const),
  ...(['deleteJob', 'deleteContent', 'agentFails', 'agentCommits', 'agentLoses'] as const),
];

/** The calm course up to any point, one thing that changes it, and one more in the middle of the controller's next turn. */
const oneOff = fc
  .record({
    calm: fc.nat({ max: course.length }),
    what: fc.constantFrom(...turns),
    pick: fc.nat({ max: 2 }),
    call: fc.integer({ min: 1, max: 3 }),
    moment: fc.constantFrom('before' as const, 'after' as const),
    during: fc.constantFrom<Disturbance>('turn', 'crash', 'broken', 'agentCommits'),
    otherPick: fc.nat({ max: 1 }),
  })
  .map(({ calm, what, pick: at, call, moment, during: other, otherPick }): readonly Step[] => [
    ...course.slice(0, calm),
    [what],
    ['turn', at, [call, moment, other, otherPick]],
  ]);

const wild = fc
  .tuple(
    fc.nat({ max: course.length }),
    fc.array(fc.oneof(turn, other), { maxLength: 25, size: 'max' }),
  )
  .map(([calm, steps]): readonly Step[] => [...course.slice(0, calm), ...steps]);

/** Any history of a request of this kind. */
export const history = (kind: Request['kind']): fc.Arbitrary<History> =>
  fc.record({
    request: request(kind),
    steps: fc.oneof(wild, oneOff),
    agent: fc.constantFrom('works', 'works', 'hangs', 'dead'),
  });
