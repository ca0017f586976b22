import { readFile } from 'node:fs/promises';
import { Failure } from '../../../core/failure.ts';
import { hasOwnUserNamespace } from '../../capture/criu/process-facts.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { parseMountinfo, readOnlyPoints } from '../../proc/mountinfo.ts';
import { isAlive, readProc } from '../../proc/process-table.ts';
import { parseRights } from '../../proc/process-text.ts';
import type { Privileges, TargetMounts } from '../gates/facts.ts';

/** What a placeholder's container may do and what it sees, by its init as it runs. Throws RestoreFailed when that has ended. */
export async function readTargetFacts(
  procRoot: string,
  placeholder: ProcessIdentity,
): Promise<{
  readonly privileges: Omit<Privileges, 'mustNotBeRoot'>;
  readonly mounts: TargetMounts;
}> {
  const directory = `${procRoot}/${placeholder.pid}`;
  const mountinfo = (await readProc(`${directory}/mountinfo`)) ?? '';
  const rights = parseRights((await readProc(`${directory}/status`)) ?? '');
  const securityProfile = await profileOf(directory);
  const ownUserNamespace = await hasOwnUserNamespace(procRoot, placeholder.pid);
  if (rights === undefined || !(await isAlive(procRoot, placeholder))) {
    const message = `the placeholder (process ${placeholder.pid}) has ended`;
    throw new Failure('terminal', 'RestoreFailed', message);
  }
  return {
    privileges: { ...rights, securityProfile, ownUserNamespace },
    mounts: {
      points: new Set(parseMountinfo(mountinfo).map(({ mountPoint }) => mountPoint)),
      readOnly: readOnlyPoints(mountinfo),
    },
  };
}

/** `cri-containerd.apparmor.d (enforce)` -> `cri-containerd.apparmor.d`; undefined where nothing confines it, and on kernels without such a module. */
async function profileOf(directory: string): Promise<string | undefined> {
  const text = await readFile(`${directory}/attr/current`, 'utf8').catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // Without a security module; that the process has ended is found out elsewhere.
    if (code === 'EINVAL' || code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  });
  const profile = text
    .replace(/\0/g, '')
    .trim()
    .replace(/ \([a-z]+\)$/, '');
  return profile === '' || profile === 'unconfined' ? undefined : profile;
}
