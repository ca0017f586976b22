import { describe, expect, it } from 'vitest';
import { controllerConfig, usage } from '../../../controller/config.ts';
import { FirstSeen } from '../../../controller/first-seen.ts';
import { followedBy } from '../../../controller/follow.ts';
import { parseSlimContent, parseSlimJob, parseSlimPod } from '../../../controller/parse-slim.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the configuration', () => {
  it('has defaults for everything', () => {
    expect(controllerConfig({})).toMatchObject({
      namespace: 'cryopod-system',
      logLevel: 'info',
      healthPort: 8081,
      metricsPort: 8080,
    });
  });

  it.each([
    [{ CRYOPOD_LOG_LEVEL: 'loud' }, 'CRYOPOD_LOG_LEVEL is loud'],
    [{ CRYOPOD_HEALTH_PORT: 'http' }, 'CRYOPOD_HEALTH_PORT is no port: http'],
    [{ CRYOPOD_METRICS_PORT: '70000' }, 'CRYOPOD_METRICS_PORT is no port: 70000'],
  ])('refuses %o in a sentence', (environment, sentence) => {
    expect(() => controllerConfig(environment)).toThrow(sentence);
  });

  it('is explained by --help', () => {
    for (const name of ['POD_NAME', 'POD_NAMESPACE', 'CRYOPOD_LOG_LEVEL', 'CRYOPOD_HEALTH_PORT']) {
      expect(usage).toContain(name);
    }
  });
});

describe('following a change', () => {
  const following = (added: string[]) =>
    followedBy<{ readonly to: readonly string[] }>(
      ({ to }) => to,
      (key) => void added.push(key),
    );

  it('wakes what depends on the object, also when it is deleted', () => {
    const added: string[] = [];
    const follow = following(added);
    follow('job', { to: ['owner'] });
    follow('job', undefined);
    follow('job', undefined);
    expect(added).toEqual(['owner', 'owner']);
  });

  it('wakes the old and the new when the object turns to another', () => {
    const added: string[] = [];
    const follow = following(added);
    follow('content', { to: ['first'] });
    follow('content', { to: ['second'] });
    expect(added).toEqual(['first', 'first', 'second']);
  });
});

describe('first seen', () => {
  it('counts from the first sight without a break', async () => {
    const clock = new FakeClock();
    const seen = new FirstSeen(clock);
    expect(seen.since('a', true)).toBe(0);
    await clock.advance(700);
    expect(seen.since('a', true)).toBe(700);
    expect(seen.since('a', false)).toBe(0);
    await clock.advance(700);
    expect(seen.since('a', true)).toBe(0);
  });
});

describe('what the caches keep', () => {
  it('of a pod is its metadata, node and phase', () => {
    const parsed = parseSlimPod({
      metadata: { name: 'a', uid: 'u' },
      spec: { nodeName: 'n', containers: [{ name: 'main' }] },
      status: { phase: 'Running', containerStatuses: [{ name: 'main' }] },
    });
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        metadata: { uid: 'u' },
        spec: { nodeName: 'n', containers: [] },
        status: { phase: 'Running', containerStatuses: [] },
      },
    });
  });

  it('of a Job is not its spec', () => {
    const parsed = parseSlimJob({ metadata: { name: 'a' }, spec: { template: { big: true } } });
    expect(parsed).toMatchObject({ ok: true, value: { spec: {} } });
    expect(parsed.ok && parsed.value.spec).toEqual({});
  });

  it('of a content is not the pod template', () => {
    const parsed = parseSlimContent({
      metadata: { name: 'a' },
      spec: {
        snapshotRef: { namespace: 'default', name: 'one', uid: 'u' },
        source: {
          podRef: { name: 'web', uid: 'u', containers: ['main'] },
          nodeName: 'n',
          template: { spec: {} },
        },
      },
    });
    expect(parsed.ok && parsed.value.spec.source).not.toHaveProperty('template');
    expect(parsed.ok && parsed.value.spec.source.nodeName).toBe('n');
  });
});
