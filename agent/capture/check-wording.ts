import type { Descriptor, OutsideConnection, ProcessFacts, SourceFacts } from './facts.ts';

/** One thing that can stand in the way: a sentence for each place where it does, with what to do about it. Pure. */
export type Check = (facts: SourceFacts) => readonly string[];

const longestName = 200;

/** A name that a workload chose, fit for a message: no control characters, and not without end. */
export function shown(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant
  const harmless = name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
  return harmless.length > longestName ? `${harmless.slice(0, longestName)}...` : harmless;
}

/** How messages name a process. */
export const nameOf = ({ pid, command }: { readonly pid: number; readonly command: string }) =>
  `process ${pid} (${shown(command)})`;

/** Every process with every descriptor that the predicate picks. */
export function descriptorsWhere(
  facts: SourceFacts,
  pick: (descriptor: Descriptor, process: ProcessFacts) => boolean,
  say: (where: string, target: string, descriptor: Descriptor) => string,
): readonly string[] {
  return facts.processes.flatMap((process) =>
    process.descriptors
      .filter((descriptor) => pick(descriptor, process))
      .map((descriptor) =>
        say(
          `${nameOf(process)}, descriptor ${descriptor.fd}`,
          shown(descriptor.target),
          descriptor,
        ),
      ),
  );
}

/** A connection with who holds it. */
export const connectionOf = (connection: OutsideConnection): string =>
  `${nameOf(connection)}, descriptor ${connection.fd}: ${shown(connection.what)}`;
