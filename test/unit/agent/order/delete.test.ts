import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { World } from './support/world.ts';

describe('deleting', () => {
  let world = new World();
  beforeEach(async () => {
    world = new World();
    await world.startAgent();
  });
  afterEach(() => world.close());

  const deleted = (name = 'one'): boolean =>
    isTrue(world.content(name).status.conditions, 'ArtifactDeleted');

  it('a captured order frees its bytes and says so', async () => {
    await world.createContent(await world.createPod());
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(1000);
    await world.deleteContent();
    await world.until('the deletion', () => deleted());
    expect(world.node.references.size).toBe(0);
  });

  it('a captured order that retains its bytes keeps them', async () => {
    await world.createContent(await world.createPod(), { deletionPolicy: 'Retain' });
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(1000);
    await world.deleteContent();
    await world.until('the deletion', () => deleted());
    expect(world.node.references.size).toBe(1);
  });

  it.each([0, 20, 100, 230, 300, 450, 560, 700])(
    'an order %d ms into its life stops it and leaves nothing',
    async (afterMilliseconds) => {
      await world.createContent(await world.createPod());
      await world.clock.advance(afterMilliseconds);
      await world.deleteContent();
      await world.until('the deletion', () => deleted());
      await world.clock.advance(2000);
      expect(world.node.references.size).toBe(0);
      expect(world.node.staging.size).toBe(0);
      expect(world.node.journal.size).toBe(0);
      expect(world.node.frozen).toBe(false);
    },
  );

  it('while no agent runs is made good by the next one', async () => {
    world.node.publishMilliseconds = 60_000;
    await world.createContent(await world.createPod());
    await world.until('the thaw', () => world.node.trace.deeds.at(-1)?.what === 'dump-ended');
    world.life?.kill();
    await world.deleteContent();
    await world.startAgent();
    await world.until('the deletion', () => deleted());
    await world.clock.advance(2000);
    expect(world.node.staging.size).toBe(0);
    expect(world.node.journal.size).toBe(0);
  });
});

describe('two orders for one pod', () => {
  it('are captured one after the other, each with its own dump, and the label goes with the last', async () => {
    const world = new World();
    await world.startAgent();
    world.node.dumpMilliseconds = 4000;
    const uid = await world.createPod();
    await world.createContent(uid, {}, 'one');
    await world.clock.advance(1000);
    await world.createContent(uid, {}, 'two');
    await world.until(
      'the queue to be shown',
      () => world.content('two').status.stage === 'Queued',
    );
    const waiting = findCondition(world.content('two').status.conditions, 'Progressing');
    expect(waiting?.message).toBe('place 1 in the queue of this node; dumps at a time: 1');
    await world.until(
      'both ends',
      () => world.end('one') === 'Captured' && world.end('two') === 'Captured',
    );
    await world.clock.advance(2000);
    expect(world.node.dumps.length).toBe(2);
    expect(world.node.references.size).toBe(2);
    expect(JSON.stringify(world.pod())).not.toContain('capture-eligible');
    world.close();
  });
});
