import { capabilityNames } from './capability-names.ts';
import type { ContainerImages, ImagedProcess } from './container-images.ts';
import { inspectFile } from './inspected-file.ts';
import type { ContainerMemory, ResidentMapping } from './process-memory.ts';
import { maskedArguments, maskedText, maskedValue } from './secrets.ts';

/** What is asked about a process. */
export type Question = {
  readonly showSecrets: boolean;
  /** How many of the largest mappings. */
  readonly mappings: number;
};

/** A variable of an environment. */
export type Variable = { readonly name: string; readonly value: string };

/** A process as `inspect` shows it, with nothing in it that JSON cannot hold. */
export type InspectedProcess = Awaited<ReturnType<typeof inspectProcess>>;

/** Everything that is told of one process. */
export async function inspectProcess(
  process: ImagedProcess,
  images: ContainerImages,
  memory: ContainerMemory,
  { showSecrets, mappings }: Question,
  signal: AbortSignal,
) {
  const { entry, core, threadNames, place } = process;
  const map = process.memory?.map;
  const words =
    map === undefined ? undefined : await memory.words(process, map.argumentsAt, signal);
  const all = memory.mappings(process);
  const pathOf = (fileID: number | undefined): string | undefined => {
    const file = fileID === undefined ? undefined : images.files.get(fileID);
    return file?.kind === 'file' ? file.path : undefined;
  };
  return {
    pid: entry.pid,
    parentPid: entry.parentPid,
    processGroup: entry.processGroup,
    session: entry.session,
    state: stateOf(process),
    command: core.task?.command ?? '',
    ...(stateOf(process) === 'zombie' ? { waitStatus: core.task?.exitCode ?? 0 } : {}),
    arguments: words === undefined || showSecrets ? words : maskedArguments(words),
    environment: await environmentOf(process, memory, showSecrets, signal),
    executable: pathOf(map?.executableID),
    workingDirectory: pathOf(place?.workingDirectoryID),
    rootDirectory: pathOf(place?.rootID),
    threads: threadNames,
    credentials: credentialsOf(process),
    residentBytes: all.reduce((sum, each) => sum + each.residentBytes, 0),
    mappings: all.length,
    largestMappings: all
      .toSorted((a, b) => b.residentBytes - a.residentBytes || sizeOf(b) - sizeOf(a))
      .slice(0, mappings)
      .map((mapping) => ({
        start: `0x${mapping.start.toString(16)}`,
        sizeBytes: sizeOf(mapping),
        residentBytes: mapping.residentBytes,
        protection: mapping.protection,
        kind: mapping.kind,
        path: mapping.kind === 'file' ? pathOf(Number(mapping.sourceID)) : undefined,
      })),
    descriptors: process.descriptors.flatMap(({ descriptor, fileID, closeOnExec }) => {
      const file = images.files.get(fileID);
      if (file === undefined) return [];
      const removed = images.removed.has(fileID);
      return [{ descriptor, closeOnExec, ...inspectFile(file, removed, showSecrets) }];
    }),
  };
}

/** What is dead and still in the tree is what ps calls a zombie. */
const stateOf = ({ core }: ImagedProcess): 'alive' | 'stopped' | 'zombie' =>
  core.task?.state === 'dead' ? 'zombie' : (core.task?.state ?? 'alive');

const sizeOf = ({ start, end }: ResidentMapping): number => Number(end - start);

async function environmentOf(
  process: ImagedProcess,
  memory: ContainerMemory,
  showSecrets: boolean,
  signal: AbortSignal,
): Promise<readonly Variable[] | undefined> {
  const range = process.memory?.map.environmentAt;
  const words = range === undefined ? undefined : await memory.words(process, range, signal);
  return words
    ?.filter((word) => word !== '')
    .map((word) => {
      const equals = word.indexOf('=');
      const name = equals < 0 ? word : word.slice(0, equals);
      const value = equals < 0 ? '' : word.slice(equals + 1);
      return showSecrets
        ? { name, value }
        : { name: maskedText(name), value: maskedValue(name, value) };
    });
}

const seccompModes: readonly string[] = ['disabled', 'strict', 'filter'];

function credentialsOf({ core }: ImagedProcess) {
  if (core.credentials === undefined) return undefined;
  const { uid, gid, effectiveUID, effectiveGID, groups, capabilities } = core.credentials;
  const { securityProfile, noNewPrivileges } = core.credentials;
  return {
    ...{ uid, gid, effectiveUID, effectiveGID, groups, securityProfile, noNewPrivileges },
    seccomp: seccompModes[core.seccompMode] ?? String(core.seccompMode),
    capabilities: {
      effective: capabilityNames(capabilities.effective),
      permitted: capabilityNames(capabilities.permitted),
      inheritable: capabilityNames(capabilities.inheritable),
      bounding: capabilityNames(capabilities.bounding),
      ambient: capabilityNames(capabilities.ambient),
    },
  };
}
