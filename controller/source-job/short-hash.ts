import { createHash } from 'node:crypto';

/** 16 hex digits of SHA-256: the form of a checkpoint ID. */
export const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);
