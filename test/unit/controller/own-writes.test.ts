import { describe, expect, it } from 'vitest';
import { OwnWrites } from '../../../controller/own-writes.ts';
import { type Metadata, metadataSchema } from '../../../core/api/metadata.ts';

type Thing = { readonly metadata: Metadata };

const thing = (resourceVersion: string): Thing => ({
  metadata: metadataSchema.parse({ name: 'one', namespace: 'default', resourceVersion }),
});

const cacheShowing = (shown: { now: Thing | undefined }) => ({ get: () => shown.now });

const versionOf = (own: OwnWrites<Thing>) => own.get('default/one')?.metadata.resourceVersion;

describe('own writes', () => {
  it('are shown while the cache still shows the version that they started from', () => {
    const shown = { now: thing('5') };
    const own = new OwnWrites(cacheShowing(shown));
    own.remember(thing('5'), thing('6'));
    expect(versionOf(own)).toBe('6');
  });

  it('give way to whatever the cache shows next', () => {
    const shown = { now: thing('5') };
    const own = new OwnWrites(cacheShowing(shown));
    own.remember(thing('5'), thing('6'));
    shown.now = thing('9');
    expect(versionOf(own)).toBe('9');
    shown.now = thing('5');
    expect(versionOf(own)).toBe('5');
  });

  it('are shown in a row although the cache has not seen the first', () => {
    const shown = { now: thing('5') };
    const own = new OwnWrites(cacheShowing(shown));
    own.remember(thing('5'), thing('6'));
    own.remember(thing('6'), thing('7'));
    expect(versionOf(own)).toBe('7');
  });

  it('are shown while the cache has seen the first of them and not the last', () => {
    const shown = { now: thing('5') };
    const own = new OwnWrites(cacheShowing(shown));
    own.remember(thing('5'), thing('6'));
    own.remember(thing('6'), thing('8'));
    shown.now = thing('6');
    expect(versionOf(own)).toBe('8');
    shown.now = thing('8');
    expect(versionOf(own)).toBe('8');
    shown.now = thing('6');
    expect(versionOf(own)).toBe('6');
  });

  it('do not outlive the object', () => {
    const shown: { now: Thing | undefined } = { now: thing('5') };
    const own = new OwnWrites(cacheShowing(shown));
    own.remember(thing('5'), thing('6'));
    shown.now = undefined;
    expect(own.get('default/one')).toBeUndefined();
  });
});
