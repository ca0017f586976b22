/** What has become of the snapshot that a pod is to be restored from. */
export type SnapshotView =
  | { readonly state: 'ready'; readonly containers: readonly string[] }
  | { readonly state: 'pending'; readonly message: string }
  | { readonly state: 'unusable'; readonly message: string };
