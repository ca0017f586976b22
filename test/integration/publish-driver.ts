import { publishArtifact } from '../../agent/artifact/publish.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import { Failure } from '../../core/failure.ts';
import { dumpIn, someFacts } from '../support/fake-dump.ts';

/** Publishes a staging directory into a store, in a process of its own that a test may kill or limit: argv is store, staging. */
const [store = '', stagingDirectory = ''] = process.argv.slice(2);
try {
  const { digest } = await publishArtifact({
    ...{ store: dirStore(store), dump: dumpIn, stagingDirectory, facts: someFacts },
    ...{ key: { namespace: 'default', contentUID: 'uid' }, fence: 0 },
    beforeReference: async () => {},
    onProgress: () => {},
    signal: new AbortController().signal,
  });
  process.stdout.write(JSON.stringify({ digest }));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  const { kind, reason, message } = error;
  process.stdout.write(JSON.stringify({ kind, reason, message }));
}
