import type { ProcessIdentity } from '../../proc/identity.ts';

/** A program to be run in a container's namespaces by images/enter; see there for what each option does. */
export type EnterRequest = {
  readonly enterPath: string;
  readonly process: ProcessIdentity;
  /** cgroup.procs files to join, as the agent sees them. */
  readonly cgroupFiles: readonly string[];
  /** A directory of the container that is there and is reached without a link. */
  readonly stage: string;
  /** Directories of the agent, by their names in the stage; read-only there. */
  readonly trees: Readonly<Record<string, string>>;
  /** Files opened outside, by descriptor. */
  readonly opens?: Readonly<
    Record<number, { readonly mode: 'r' | 'w' | 'n'; readonly file: string }>
  >;
  /** Files of the stage that are copied to new files at the end. */
  readonly keeps?: Readonly<Record<string, string>>;
  /** Directories that are made where they are missing. */
  readonly made?: readonly string[];
  readonly writableProcSys?: boolean;
  /** Mount points that are made writable there, whatever they are in the container. */
  readonly writable?: readonly string[];
  readonly program: readonly string[];
};

/** Exit code of the entering itself: the program never ran. */
export const enterFailed = 125;

/** argv for agent/proc/run.ts. Pure. */
export function enterArguments(request: EnterRequest): readonly string[] {
  const { process } = request;
  const many = (option: string, values: readonly string[]): readonly string[] =>
    values.flatMap((value) => [option, value]);
  return [
    request.enterPath,
    '--process',
    `${process.pid}:${process.startTicks}`,
    ...many('--cgroup', request.cgroupFiles),
    '--stage',
    request.stage,
    ...many(
      '--tree',
      Object.entries(request.trees).map(([name, from]) => `${name}=${from}`),
    ),
    ...many(
      '--open',
      Object.entries(request.opens ?? {}).map(([fd, { mode, file }]) => `${fd}=${mode}:${file}`),
    ),
    ...many(
      '--keep',
      Object.entries(request.keeps ?? {}).map(([name, to]) => `${name}=${to}`),
    ),
    ...many('--make', request.made ?? []),
    ...(request.writableProcSys === true ? ['--proc-sys'] : []),
    ...many('--writable', request.writable ?? []),
    '--',
    ...request.program,
  ];
}

/** A program of the bundle with its own loader and libraries, so that it runs in any image. `stage` is where the bundle is mounted below. */
export const bundled = (stage: string, program: string): readonly string[] => [
  `${stage}/bundle/ld.so`,
  '--library-path',
  `${stage}/bundle/lib`,
  `${stage}/bundle/${program}`,
];
