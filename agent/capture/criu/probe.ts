import { run } from '../../proc/run.ts';
import type { BackendProbe } from '../backend.ts';
import { decisiveLines } from './log.ts';

/** `Version: 4.1.1` -> `4.1.1`; empty when it says something else. */
export function parseVersion(text: string): string {
  return /^Version:\s*(\S+)/m.exec(text)?.[1] ?? '';
}

/** Asks CRIU itself what it can do on this kernel with these rights; never decides by version numbers. */
export async function probeCriu(criuPath: string, signal: AbortSignal): Promise<BackendProbe> {
  const version = await run([criuPath, '--version'], { signal });
  if (!version.ok) return { usable: false, why: version.why, version: '' };
  const check = await run([criuPath, 'check'], { signal });
  const number = parseVersion(version.stdout);
  if (check.ok) return { usable: true, why: '', version: number };
  const said = decisiveLines(`${check.stdout}\n${check.stderr}`).join('; ');
  return { usable: false, why: `criu check: ${said || check.why}`, version: number };
}
