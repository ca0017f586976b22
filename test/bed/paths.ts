import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where every bed of this machine keeps its files, one folder a bed. Not /tmp: that is often a tmpfs. */
export const bedsDirectory = '/var/tmp/cryopod-beds';

/** Folder of what outlives a bed and is expensive to make: binaries, node roots, images. */
export function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME;
  const root = base === undefined || base === '' ? join(homedir(), '.cache') : base;
  return join(root, 'cryopod');
}

/** First `length` hexadecimal digits of the SHA-256 of `text`: names a cache entry by its inputs. */
export function contentName(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

/** The files of one bed. Everything below `directory` is gone after `down`. */
export type BedPaths = {
  readonly directory: string;
  readonly statePath: string;
  readonly lockPath: string;
  readonly pkiDirectory: string;
  readonly kubeconfigPath: string;
  readonly auditLogPath: string;
  readonly etcdDirectory: string;
  readonly logDirectory: string;
  readonly storeDirectory: string;
  readonly storeImagePath: string;
  readonly nodesDirectory: string;
};

/** Paths of the bed `name`; throws on a name that could not be part of every kernel name a bed uses. */
export function bedPaths(name: string): BedPaths {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new Error(
      `'${name}' is no name for a bed: up to 32 lower-case letters, digits and inner dashes`,
    );
  }
  const directory = join(bedsDirectory, name);
  return {
    directory,
    statePath: join(directory, 'state.json'),
    lockPath: join(bedsDirectory, `.${name}.lock`),
    pkiDirectory: join(directory, 'pki'),
    kubeconfigPath: join(directory, 'kubeconfig'),
    auditLogPath: join(directory, 'audit.log'),
    etcdDirectory: join(directory, 'etcd'),
    logDirectory: join(directory, 'log'),
    storeDirectory: join(directory, 'store'),
    storeImagePath: join(directory, 'store.ext4'),
    nodesDirectory: join(directory, 'nodes'),
  };
}

/** Prefix of the kernel names of a bed: network namespaces `PREFIX-hub`, cgroups `PREFIX/NODE`. */
export const kernelName = (bed: string): string => `cryopod-${bed}`;

/** Network namespace of the control plane, or of the node `member`. */
export const netnsName = (bed: string, member: string): string => `${kernelName(bed)}-${member}`;

/** Where iproute2 keeps a named network namespace. */
export const netnsPath = (bed: string, member: string): string =>
  `/run/netns/${netnsName(bed, member)}`;
