import { afterEach, expect, it } from 'vitest';
import { queueBackOff } from '../../../runtime/back-off.ts';
import { type Health, type RunningHttpServer, serveHttp } from '../../../runtime/http-server.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { WorkQueue } from '../../../runtime/work-queue.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let server: RunningHttpServer | undefined;
afterEach(async () => server?.close());

const get = async (path: string, method = 'GET'): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${server?.port}${path}`, { method });
  return [response.status, await response.text()];
};

it('answers probes with what is wrong', async () => {
  let health: Health = { ok: true };
  server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    ready: () => health,
    alive: () => ({ ok: true }),
  });
  expect(await get('/readyz')).toEqual([200, 'ok\n']);
  health = { ok: false, why: 'the list of pods is not complete yet' };
  expect(await get('/readyz?verbose')).toEqual([503, 'the list of pods is not complete yet\n']);
  expect(await get('/healthz')).toEqual([200, 'ok\n']);
  expect(await get('/metrics')).toEqual([404, 'not found\n']);
  expect(await get('/healthz', 'POST')).toEqual([405, 'only GET\n']);
});

it('stays up when a page throws', async () => {
  const ready = (): Health => {
    throw new Error('a bug');
  };
  server = await serveHttp({ host: '127.0.0.1', port: 0, ready });
  expect(await get('/readyz')).toEqual([500, 'a bug\n']);
  expect(await get('/readyz')).toEqual([500, 'a bug\n']);
});

it('serves metrics whose gauges are asked at the moment', async () => {
  const metrics = createMetrics();
  const clock = new FakeClock();
  const queue = new WorkQueue({
    slots: 1,
    backOff: queueBackOff,
    clock,
    random: () => 0.5,
    observer: metrics.queueObserver('snapshot'),
    work: () => new Promise(() => {}),
  });
  metrics.watchQueue('snapshot', queue);
  metrics.reflectorObserver('Pod').restarted('Expired');
  metrics.reconcileEnded('snapshot')('done');
  metrics.watchLease('leader', () => undefined);
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await clock.advance(2000);
  server = await serveHttp({ host: '127.0.0.1', port: 0, metrics: metrics.registry });
  const [, text] = await get('/metrics');
  expect(text).toContain('cryopod_queue_depth{queue="snapshot"} 2');
  expect(text).toContain('cryopod_queue_oldest_seconds{queue="snapshot"} 2');
  expect(text).toContain('cryopod_reflector_restarts_total{kind="Pod",reason="Expired"} 1');
  expect(text).toContain('cryopod_lease_held{lease="leader"} 0');
});

it('rejects when the port is taken', async () => {
  server = await serveHttp({ host: '127.0.0.1', port: 0 });
  await expect(serveHttp({ host: '127.0.0.1', port: server.port })).rejects.toThrow(/EADDRINUSE/);
});
