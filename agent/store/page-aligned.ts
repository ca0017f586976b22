/**
 * Memory for bytes on their way into a store. It begins at a page of the machine, which that of other buffers does not and one that could grow
 * does: a store can write from it past the page cache.
 */
export const pageAlignedBuffer = (bytes: number): ArrayBuffer =>
  new ArrayBuffer(bytes, { maxByteLength: bytes });
