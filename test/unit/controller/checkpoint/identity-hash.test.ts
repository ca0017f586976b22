import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointIDs, identityHash } from '../../../../controller/checkpoint/identity-hash.ts';
import {
  checkpointIdentitySchema,
  parseDynamoCheckpoint,
} from '../../../../core/api/dynamo-checkpoint.ts';

const identity = (fields: object) =>
  checkpointIdentitySchema.parse({ model: 'm', backendFramework: 'vllm', ...fields });

const checkpoint = (uid: string, spec: object) => {
  const parsed = parseDynamoCheckpoint({
    metadata: { name: 'one', uid },
    spec: { job: { podTemplateSpec: {} }, ...spec },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
};

describe('the identity hash', () => {
  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string(), { maxKeys: 8 }), (parameters) => {
        const reversed = Object.fromEntries(Object.entries(parameters).reverse());
        expect(identityHash(identity({ extraParameters: parameters }))).toBe(
          identityHash(identity({ extraParameters: reversed })),
        );
      }),
    );
  });

  it('is the same with a default as with the same value written out', () => {
    expect(identityHash(identity({ tensorParallelSize: 1 }))).toBe(identityHash(identity({})));
  });

  it.each([
    { model: 'n' },
    { backendFramework: 'sglang' },
    { tensorParallelSize: 2 },
    { dtype: 'fp8' },
    { maxModelLen: 1 },
    { extraParameters: { a: 'b' } },
  ])('differs with %o', (fields) => {
    expect(identityHash(identity(fields))).not.toBe(identityHash(identity({})));
  });

  it('is stable across releases', () => {
    expect(identityHash(identity({ dtype: 'fp16' }))).toMatchInlineSnapshot(`"d060244f36027927"`);
  });
});

describe('the checkpoint ID', () => {
  it('is the identity hash where there is an identity', () => {
    const spec = { identity: { model: 'm', backendFramework: 'vllm' } };
    const hash = identityHash(identity({}));
    expect(checkpointIDs(checkpoint('u1', spec))).toEqual({
      checkpointID: hash,
      identityHash: hash,
    });
  });

  it('comes from the UID without one, and there is no identity hash', () => {
    const ids = checkpointIDs(checkpoint('u1', {}));
    expect(ids.checkpointID).toMatch(/^[0-9a-f]{16}$/);
    expect(ids).not.toHaveProperty('identityHash');
    expect(checkpointIDs(checkpoint('u2', {})).checkpointID).not.toBe(ids.checkpointID);
  });
});
