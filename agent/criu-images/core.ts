import { firstEntry } from './image-file.ts';
import { corruptImage, type Message } from './message.ts';

/** Sets of capabilities, bit n for capability n. */
export type CapabilitySets = {
  readonly inheritable: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
};

/** What a thread may do (creds_entry). */
export type Credentials = {
  readonly uid: number;
  readonly gid: number;
  readonly effectiveUID: number;
  readonly effectiveGID: number;
  readonly savedUID: number;
  readonly savedGID: number;
  readonly fileSystemUID: number;
  readonly fileSystemGID: number;
  readonly capabilities: CapabilitySets;
  readonly secureBits: number;
  readonly groups: readonly number[];
  readonly securityProfile: string | undefined;
  /** No program that it executes gains rights (PR_SET_NO_NEW_PRIVS). */
  readonly noNewPrivileges: boolean;
};

/** compel/include/uapi/task-state.h. */
const states: ReadonlyMap<number, TaskState> = new Map([
  [1, 'alive'],
  [2, 'dead'],
  [3, 'stopped'],
  [6, 'zombie'],
]);
export type TaskState = 'alive' | 'dead' | 'stopped' | 'zombie';

/** A thread; where it is the first of its process, what its core says of the process too. */
export type Core = {
  readonly task:
    | {
        readonly state: TaskState;
        readonly command: string;
        readonly exitCode: number;
      }
    | undefined;
  /** Of a zombie there are none. */
  readonly credentials: Credentials | undefined;
  readonly threadName: string | undefined;
  /** Which fdinfo-*.img lists its descriptors, where ids-*.img does not say. */
  readonly filesID: number | undefined;
  /** 0 off, 1 strict, 2 with a filter. */
  readonly seccompMode: number;
  /** Its last filter, by the place in seccomp.img. */
  readonly seccompFilter: number | undefined;
  /** As sched_setscheduler() has it: 0 is the ordinary one. */
  readonly schedulingPolicy: number;
};

/** core-<tid>.img (core_entry). */
export function parseCore(name: string, image: Buffer): Core {
  const core = firstEntry(name, image, 'core');
  const task = core.message(3);
  const thread = core.message(5);
  const credentials = thread?.message(10);
  return {
    task:
      task === undefined
        ? undefined
        : {
            state: stateOf(name, task),
            command: task.text(6) ?? '',
            exitCode: task.required(2),
          },
    credentials: credentials === undefined ? undefined : credentialsOf(name, credentials),
    threadName: thread?.text(13),
    filesID: core.message(4)?.required(2),
    // Before CRIU 3.4 it was the process's.
    seccompMode: thread?.word(11) ?? task?.word(11) ?? 0,
    seccompFilter: thread?.word(12),
    schedulingPolicy: thread?.word(4) ?? 0,
  };
}

function stateOf(name: string, task: Message): TaskState {
  const number = task.required(1);
  const state = states.get(number);
  if (state === undefined) throw corruptImage(name, `its task is in the unknown state ${number}`);
  return state;
}

function credentialsOf(name: string, entry: Message): Credentials {
  return {
    uid: entry.requiredWord(1),
    gid: entry.requiredWord(2),
    effectiveUID: entry.requiredWord(3),
    effectiveGID: entry.requiredWord(4),
    savedUID: entry.requiredWord(5),
    savedGID: entry.requiredWord(6),
    fileSystemUID: entry.requiredWord(7),
    fileSystemGID: entry.requiredWord(8),
    capabilities: {
      inheritable: capabilitySet(name, entry.numbers(9)),
      permitted: capabilitySet(name, entry.numbers(10)),
      effective: capabilitySet(name, entry.numbers(11)),
      bounding: capabilitySet(name, entry.numbers(12)),
      ambient: capabilitySet(name, entry.numbers(19)),
    },
    secureBits: entry.requiredWord(13),
    groups: entry.numbers(14),
    securityProfile: entry.text(15),
    noNewPrivileges: (entry.word(18) ?? 0) !== 0,
  };
}

/** Words of 32 bits, the lowest first. A third one would be capabilities that nobody knows, and so nobody could refuse. */
function capabilitySet(name: string, words: readonly number[]): bigint {
  if (words.length > 2 || words.some((word) => word >= 2 ** 32)) {
    throw corruptImage(name, 'a set of capabilities has more than 64 bits');
  }
  return words.reduce((set, word, index) => set | (BigInt(word) << BigInt(32 * index)), 0n);
}

/** ids-<pid>.img (task_kobj_ids_entry): which fdinfo-*.img lists the descriptors of a process. */
export const parseFilesID = (name: string, image: Buffer): number =>
  firstEntry(name, image, 'ids').required(2);
