import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitHolds, decideHolds } from '../../../../../agent/capture/criu/committed-hold.ts';
import { holdScript } from '../../../../../agent/capture/criu/hold.ts';
import { type Launched, launch } from '../../../../../agent/capture/criu/launch.ts';
import type { ProcessIdentity } from '../../../../../agent/proc/identity.ts';
import { sleep, systemClock } from '../../../../../core/clock.ts';

const never = new AbortController().signal;
const deps = { procRoot: '/proc', clock: systemClock };
const commitHold = (criu: ProcessIdentity): Promise<boolean> => commitHolds(deps, [criu], never);
const decideHold = (criu: ProcessIdentity, word: 'end' | 'run'): Promise<void> =>
  decideHolds(deps, [criu], word, never);

/** Runs the real scripts with a shell in place of CRIU, which does nothing but start the action script at the end of a dump. */
describe('the hold', () => {
  let directory = '';
  let locks = 0;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hold-'));
    await writeFile(join(directory, 'hold'), holdScript, { mode: 0o700 });
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const start = async (limits: { hold: number; commit: number }): Promise<Launched> => {
    const launched = await launch({
      procRoot: '/proc',
      criuPath: '/bin/sh',
      arguments: ['-c', 'CRTOOLS_SCRIPT_ACTION=post-dump ./hold; exit $?'],
      cwd: directory,
      outputFile: join(directory, 'output'),
      lockFile: join(directory, `lock-${locks++}`),
      holdLimitSeconds: limits.hold,
      commitLimitSeconds: limits.commit,
      cgroup: { directories: [] },
      memoryPath: 'files',
      together: false,
    });
    launched.begin();
    expect(await launched.held).toBe(true);
    return launched;
  };
  const exitCode = async (launched: Launched): Promise<number | undefined> =>
    (await launched.ended).exitCode;

  it('finishes by `go`, and fails by a refusal', async () => {
    const one = await start({ hold: 20, commit: 20 });
    one.go();
    expect(await exitCode(one)).toBe(0);
    await rm(join(directory, 'output'));
    const other = await start({ hold: 20, commit: 20 });
    other.refuse();
    expect(await exitCode(other)).toBe(1);
  });

  it('fails when it hears nothing for its limit, and not as long as it hears `wait`', async () => {
    const launched = await start({ hold: 1, commit: 20 });
    const startedAt = performance.now();
    for (let words = 0; words < 4; words += 1) {
      await sleep(systemClock, 500, never);
      launched.wait();
    }
    expect(await exitCode(launched)).toBe(1);
    expect(performance.now() - startedAt).toBeGreaterThan(2900);
  });

  it.each([
    ['end', 0],
    ['run', 1],
  ] as const)('once committed waits for a decision: %s ends it with %i', async (word, code) => {
    const launched = await start({ hold: 20, commit: 20 });
    launched.wait();
    expect(await commitHold(launched.process)).toBe(true);
    // Another agent asks the same, and is answered as well.
    expect(await commitHold(launched.process)).toBe(true);
    launched.wait();
    await decideHold(launched.process, word);
    expect(await exitCode(launched)).toBe(code);
    expect(await commitHold(launched.process)).toBe(false);
    await decideHold(launched.process, word);
  });

  it('once committed fails when no decision comes for its other limit', async () => {
    const launched = await start({ hold: 20, commit: 1 });
    expect(await commitHold(launched.process)).toBe(true);
    expect(await exitCode(launched)).not.toBe(0);
  });

  it('of one of several is not committed unless all of them are', async () => {
    const one = await start({ hold: 20, commit: 20 });
    await rm(join(directory, 'output'));
    const other = await start({ hold: 20, commit: 20 });
    const both = [one.process, other.process];
    expect(await commitHolds(deps, both, never)).toBe(true);
    await decideHold(other.process, 'run');
    expect(await commitHolds(deps, both, never)).toBe(false);
    expect(await commitHolds(deps, [one.process, undefined], never)).toBe(false);
    await decideHolds(deps, both, 'end', never);
    expect(await exitCode(one)).toBe(0);
    expect(await exitCode(other)).toBe(1);
  });

  it('of another process that got the pid is not spoken to', async () => {
    const launched = await start({ hold: 20, commit: 20 });
    const other = { ...launched.process, startTicks: launched.process.startTicks + 1 };
    expect(await commitHold(other)).toBe(false);
    await decideHold(other, 'end');
    launched.refuse();
    expect(await exitCode(launched)).toBe(1);
  });
});
