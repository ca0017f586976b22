import type { BackendProbe, Blocker, CaptureRequest } from '../backend.ts';
import type { CriuOptions } from './backend.ts';

/** All blockers at once, and the bytes a dump would write. */
export async function preflight(
  _options: CriuOptions,
  probe: BackendProbe,
  _request: CaptureRequest,
  _signal: AbortSignal,
): Promise<{ readonly blockers: readonly Blocker[]; readonly estimatedBytes: number }> {
  return {
    blockers: probe.usable ? [] : [{ check: 'criu', message: probe.why }],
    estimatedBytes: 0,
  };
}
