import { firstEntry } from './image-file.ts';
import { corruptImage, type Message } from './message.ts';

/** Which namespaces a process is in, by CRIU's numbers (task_kobj_ids_entry). */
export type NamespaceIDs = { readonly mount: number; readonly pid: number; readonly user: number };

const namespacesOf = (entry: Message): NamespaceIDs => ({
  mount: entry.requiredWord(9),
  pid: entry.requiredWord(5),
  user: entry.requiredWord(10),
});

/** ids-<pid>.img. */
export const parseNamespaceIDs = (name: string, image: Buffer): NamespaceIDs =>
  namespacesOf(firstEntry(name, image, 'ids'));

/** What inventory.img says of the dump as a whole. */
export type Surroundings = {
  /** The namespaces of CRIU. */
  readonly outside: NamespaceIDs;
  /** NETWORK_LOCK_* of CRIU: 0 iptables, 1 nftables, 2 none; one that does not say means iptables. */
  readonly networkLock: number | undefined;
};

/** inventory.img (inventory_entry). */
export function parseSurroundings(name: string, image: Buffer): Surroundings {
  const entry = firstEntry(name, image, 'inventory');
  const root = entry.message(3);
  if (root === undefined) throw corruptImage(name, 'it names no namespaces');
  return { outside: namespacesOf(root), networkLock: entry.word(11) };
}

/** netns-<id>.img (netns_entry): the name under which a network namespace is inherited; undefined for one that CRIU makes. */
export const parseInheritedNetwork = (name: string, image: Buffer): string | undefined =>
  firstEntry(name, image, 'netns').text(8);

/** Kinds of descriptors in files.img (file_entry): numbers of fd_types, and `raw` for an internet socket of that type. */
export const openKind = (entry: Message): number | 'raw' =>
  entry.message(4)?.requiredWord(4) === rawSocket ? 'raw' : entry.requiredWord(1);

/** SOCK_RAW. */
const rawSocket = 3;
