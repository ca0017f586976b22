import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ReferenceKey } from '../../agent/store/store.ts';
import { parseDuration } from '../duration.ts';
import type { CliContext } from '../kube-session.ts';
import { exportArtifact } from './artifact/export.ts';
import { importArtifact } from './artifact/import.ts';
import { listArtifacts } from './artifact/list.ts';
import { showArtifact } from './artifact/show.ts';
import { parseKey } from './artifact/snapshot-name.ts';
import { openStore, storeOption } from './artifact/store-option.ts';
import { sweepArtifacts } from './artifact/sweep.ts';
import { verifyArtifacts } from './artifact/verify.ts';

type Output = { readonly output: 'table' | 'json' };
type Store = { readonly store: string };

const outputOption = (): Option =>
  new Option('-o, --output <form>', 'how to print').choices(['table', 'json']).default('table');

function keyArgument(text: string): ReferenceKey {
  const key = parseKey(text);
  if (key === undefined) throw new InvalidArgumentError('must be NAMESPACE/UID.');
  return key;
}

function graceArgument(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined)
    throw new InvalidArgumentError('must be a time such as 90m or 7d.');
  return milliseconds;
}

const graceOption = (): Option =>
  new Option('--grace <time>', 'how long nobody must have touched it')
    .argParser(graceArgument)
    .default(86_400_000, '24h');

/** `cryopod artifact ...`: looks into a store without a cluster. */
export function registerArtifact(program: Command, { terminal, end }: CliContext): void {
  const artifact = program
    .command('artifact')
    .description('snapshots in a store: list, show, verify, export, import, sweep')
    .addHelpText(
      'after',
      '\nSNAPSHOT is NAMESPACE/UID as `list` prints them, or the UID alone.\nExit codes: 0 done, 1 failed or damaged, 2 called wrongly.',
    );

  artifact
    .command('list')
    .description('every snapshot, oldest first')
    .addOption(storeOption(terminal))
    .option('-n, --namespace <name>', 'of this namespace only')
    .addOption(outputOption())
    .action(async ({ store, ...options }: Store & Output & { readonly namespace?: string }) =>
      end(await listArtifacts(await openStore(store), options, terminal)),
    );

  artifact
    .command('show')
    .description('what a snapshot holds and where its bytes go')
    .argument('<snapshot>')
    .addOption(storeOption(terminal))
    .addOption(outputOption())
    .action(async (name: string, { store, output }: Store & Output) =>
      end(await showArtifact(await openStore(store), name, { output }, terminal)),
    );

  artifact
    .command('verify')
    .description('read every byte and name each damaged blob')
    .argument('[snapshots...]', 'all when none is named')
    .addOption(storeOption(terminal))
    .addOption(outputOption())
    .action(async (names: readonly string[], { store, output }: Store & Output) =>
      end(await verifyArtifacts(await openStore(store), names, { output }, terminal)),
    );

  artifact
    .command('export')
    .description('write a snapshot as a tar of an OCI image layout')
    .argument('<snapshot>')
    .argument('<file>', 'must not exist; - for standard output')
    .addOption(storeOption(terminal))
    .action(async (name: string, file: string, { store }: Store) =>
      end(await exportArtifact(await openStore(store), name, file, terminal)),
    );

  artifact
    .command('import')
    .description('put such a tar into the store, verified')
    .argument('<file>', '- for standard input')
    .addOption(storeOption(terminal))
    .option(
      '--as <namespace/uid>',
      'under another name than the one it was captured under',
      keyArgument,
    )
    .action(async (file: string, { store, as }: Store & { readonly as?: ReferenceKey }) =>
      end(await importArtifact(await openStore(store), file, as, terminal)),
    );

  artifact
    .command('sweep')
    .description('find what no snapshot needs; deletes it only with --delete')
    .addOption(storeOption(terminal))
    .addOption(graceOption())
    .option('--delete', 'delete it', false)
    .addOption(outputOption())
    .action(
      async (options: Store & Output & { readonly grace: number; readonly delete: boolean }) => {
        const { grace, output } = options;
        const what = { graceMilliseconds: grace, delete: options.delete, output };
        end(await sweepArtifacts(await openStore(options.store), what, terminal));
      },
    );
}
