import { describe, expect, it } from 'vitest';
import {
  agentLeaseName,
  annotations,
  captureLeaseName,
  checkpointJobName,
  contentName,
  finalizers,
  labels,
} from '../../../core/api/names.ts';

const uid = '0c6e64d0-54d4-4f0b-9f3d-2d7c4a3a1b11';

describe('names', () => {
  it('gives each incarnation of a snapshot a content of its own', () => {
    expect(contentName(uid)).toBe(`podsnapshotcontent-${uid}`);
  });

  it('gives each content and each node a Lease of its own', () => {
    expect(captureLeaseName(uid)).toBe(`podsnapshot-${uid}`);
    expect(agentLeaseName('node-a')).toBe('cryopod-agent-node-a');
  });

  it('names the first Job as upstream does and marks the ones after it', () => {
    expect(checkpointJobName('3b3b3b3b3b3b3b3b')).toBe('checkpoint-job-3b3b3b3b3b3b3b3b-1');
    expect(checkpointJobName('3b3b3b3b3b3b3b3b', 2)).toBe('checkpoint-job-3b3b3b3b3b3b3b3b-1-r2');
  });

  it('keeps Job names short enough for the label that the Job controller makes of them', () => {
    expect(checkpointJobName('3b3b3b3b3b3b3b3b', 2_147_483_647).length).toBeLessThanOrEqual(63);
  });

  it('uses keys that the API server takes', () => {
    const keys = [
      ...Object.values(labels),
      ...Object.values(annotations),
      ...Object.values(finalizers),
    ];
    for (const key of keys) expect(key).toMatch(/^nvidia\.com\/[a-z]([-a-z]{0,61}[a-z])?$/);
  });
});
