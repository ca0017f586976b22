import * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import { isDigest } from '../store/digest.ts';
import type { Reference } from '../store/store.ts';
import { mediaTypes } from './media-types.ts';

/** Longest oci-layout or index.json that is read, in bytes. */
export const longestIndexBytes = 1 << 20;

const layoutSchema = z.object({ imageLayoutVersion: z.string() });
const indexSchema = z.object({
  schemaVersion: z.literal(2),
  manifests: z
    .array(
      z.object({
        mediaType: z.string().max(255),
        digest: z.string().refine(isDigest, 'must be sha256:<64 hex digits>'),
        size: z.number().int().min(1),
      }),
    )
    .length(1, 'must name exactly one artifact'),
});

/** The failure for an archive that is not what it must be. */
export const corruptArchive = (why: string): Failure =>
  new Failure('terminal', 'ArtifactCorrupt', `the archive is damaged: ${why}`);

function parseJSON(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw corruptArchive(`${name} is not JSON`);
  }
}

/** Throws ArtifactCorrupt unless the text is an oci-layout of version 1. */
export function checkLayout(text: string): void {
  const parsed = layoutSchema.safeParse(parseJSON('oci-layout', text));
  if (!parsed.success) throw corruptArchive(`oci-layout: ${z.prettifyError(parsed.error)}`);
  const { imageLayoutVersion } = parsed.data;
  if (!imageLayoutVersion.startsWith('1.')) {
    throw corruptArchive(
      `its layout has the unknown version ${JSON.stringify(imageLayoutVersion)}`,
    );
  }
}

/** The one artifact that an index.json names. Who imports holds no lease, so the fence is 0. */
export function parseIndex(text: string): Reference {
  const parsed = indexSchema.safeParse(parseJSON('index.json', text));
  if (!parsed.success) throw corruptArchive(`index.json: ${z.prettifyError(parsed.error)}`);
  const [artifact] = parsed.data.manifests;
  if (artifact?.mediaType !== mediaTypes.manifest) {
    throw corruptArchive(`index.json names the unknown type ${artifact?.mediaType}`);
  }
  return { ...artifact, fence: 0 };
}
