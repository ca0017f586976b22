import type { OpenFile } from '../../agent/criu-images/files.ts';
import { endpointText, flagsText, openFileText } from './open-file-text.ts';
import { maskedText } from './secrets.ts';

/** An open file as `inspect` shows it, with nothing in it that JSON cannot hold. `removed`: it has no longer the name that is shown. */
export type InspectedFile =
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly removed: boolean;
      readonly flags: string;
      readonly positionBytes: number;
      readonly sizeBytes?: number;
    }
  | {
      readonly kind: 'inet';
      readonly name: string;
      readonly protocol: string;
      readonly state: string;
      readonly local: string;
      readonly remote: string;
    }
  | {
      readonly kind: 'unix';
      readonly name: string;
      readonly type: string;
      readonly state: string;
      readonly inode: number;
      readonly peerInode: number;
    }
  | { readonly kind: 'pipe'; readonly name: string; readonly flags: string }
  | {
      readonly kind: Exclude<OpenFile['kind'], 'file' | 'inet' | 'unix' | 'pipe'>;
      readonly name: string;
    };

/** The parts of an open file. */
export function inspectFile(file: OpenFile, removed: boolean, showSecrets: boolean): InspectedFile {
  const text = openFileText(file);
  const name = showSecrets ? text : maskedText(text);
  switch (file.kind) {
    case 'file':
      return {
        ...{ kind: file.kind, name, removed },
        flags: flagsText(file.flags),
        positionBytes: Number(file.positionBytes),
        ...(file.sizeBytes === undefined ? {} : { sizeBytes: Number(file.sizeBytes) }),
      };
    case 'inet': {
      const { kind, protocol, state, local, remote } = file;
      const ends = { local: endpointText(local), remote: endpointText(remote) };
      return { kind, name, protocol, state, ...ends };
    }
    case 'unix': {
      const { kind, type, state, inode, peerInode } = file;
      return { kind, name, type, state, inode, peerInode };
    }
    case 'pipe':
      return { kind: file.kind, name, flags: flagsText(file.flags) };
    default:
      return { kind: file.kind, name };
  }
}
