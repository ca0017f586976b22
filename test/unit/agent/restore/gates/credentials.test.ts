import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseCore } from '../../../../../agent/criu-images/core.ts';
import { findRefusals } from '../../../../../agent/restore/gates/gates.ts';
import { imageOf, message } from '../../criu-images/image-of.ts';
import { factsWith } from '../support/gate-facts.ts';

const set = fc.bigInt({ min: 0n, max: 2n ** 41n - 1n });
const id = fc.constantFrom(0, 1, 1000, 65_534, 2 ** 32 - 1);
const words = (bits: bigint): readonly bigint[] => [bits & 0xffff_ffffn, bits >> 32n];

/** A thread as an image has it, and what its container may do. */
const scenes = fc.record({
  sets: fc.array(set, { minLength: 5, maxLength: 5 }),
  ids: fc.array(id, { minLength: 8, maxLength: 8 }),
  groups: fc.array(id, { maxLength: 4 }),
  noNewPrivileges: fc.boolean(),
  seccompMode: fc.nat(2),
  packed: fc.boolean(),
  permitted: set,
  bounding: set,
  confined: fc.boolean(),
  mustNotBeRoot: fc.boolean(),
  filtered: fc.boolean(),
});
type Scene = typeof scenes extends fc.Arbitrary<infer T> ? T : never;

/** As CRIU writes it; protobuf-c also reads lists that are packed. */
function imageOfScene({ sets, ids, groups, packed, ...rest }: Scene): Buffer {
  const [inheritable = 0n, permitted = 0n, effective = 0n, bounding = 0n, ambient = 0n] = sets;
  const list = (values: readonly (number | bigint)[]) =>
    packed ? Buffer.concat(values.map((value) => message({ 1: value }).subarray(1))) : values;
  const credentials = message({
    ...Object.fromEntries(ids.map((value, index) => [index + 1, value])),
    ...{ 9: list(words(inheritable)), 10: list(words(permitted)), 11: list(words(effective)) },
    ...{ 12: list(words(bounding)), 13: 0, 14: list(groups), 19: list(words(ambient)) },
    ...(rest.noNewPrivileges ? { 18: 1 } : {}),
  });
  const task = message({ 1: 1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 'any' });
  const thread = message({ 10: credentials, 11: rest.seccompMode });
  return imageOf('core', message({ 1: 1, 3: task, 5: thread }));
}

/** Whether the thread would have anything that its container may not have, said in another way than the gates do. */
function isMore(scene: Scene): boolean {
  const { sets, ids, groups, permitted, bounding, confined } = scene;
  const most = (index: number): bigint => (index === 3 || !confined ? bounding : permitted);
  return (
    sets.some((held, index) => (held | most(index)) !== most(index)) ||
    (confined && !scene.noNewPrivileges) ||
    (scene.filtered && scene.seccompMode === 0) ||
    (scene.mustNotBeRoot && [0, 2, 4, 6].some((index) => ids[index] === 0)) ||
    (confined && [...ids, ...groups].some((one) => one !== 1000))
  );
}

/** Few scenes of chance are within bounds: these are made to be. */
const within = scenes.map(
  (scene): Scene => ({
    ...scene,
    sets: scene.sets.map(
      (held, index) => held & (index === 3 || !scene.confined ? scene.bounding : scene.permitted),
    ),
    ids: scene.ids.map(() => 1000),
    groups: scene.groups.map(() => 1000),
    ...{ noNewPrivileges: true, seccompMode: 2 },
  }),
);

it('a thread passes exactly when it has nothing that its container may not have, however its image is written', () => {
  const property = fc.property(fc.oneof(scenes, within), (scene) => {
    const core = parseCore('core-1.img', imageOfScene(scene));
    const { permitted, bounding, confined, filtered, mustNotBeRoot } = scene;
    const thousand = [1000, 1000, 1000, 1000];
    const facts = factsWith({
      images: { threads: [{ name: 'process 1 (any)', core }] },
      privileges: {
        ...{ permitted, bounding, mustNotBeRoot, noNewPrivileges: confined },
        ...{ uids: thousand, gids: thousand, groups: [], seccompMode: filtered ? 2 : 0 },
      },
    });
    expect(findRefusals(facts).length > 0).toBe(isMore(scene));
  });
  void fc.assert(property, { numRuns: 1000 });
});
