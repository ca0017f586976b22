import type { Command } from 'commander';
import { attachBed } from '../bed.ts';
import { logToTerminal } from '../progress.ts';
import { named } from './cluster.ts';

type Named = { readonly name: string };

/** Commands that break and mend a bed: kill and start. */
export function registerParts(program: Command): void {
  const parts =
    'apiserver, etcd, kcm, scheduler, forwarder, node-a, kubelet@node-a, containerd@node-a';
  named(program.command('kill'))
    .description(`kill a part: ${parts}`)
    .argument('<what>')
    .option('--signal <signal>', 'another signal, such as SIGSTOP', 'SIGKILL')
    .action(async (what: string, { name, signal }: Named & { readonly signal: string }) => {
      await (await attachBed(name)).kill(what, signal);
      logToTerminal(`sent ${signal} to ${what} of bed ${name}`);
    });
  named(program.command('start'))
    .description(`start a part that was killed: ${parts}`)
    .argument('<what>')
    .action(async (what: string, { name }: Named) => {
      await (await attachBed(name)).start(what);
      logToTerminal(`started ${what} of bed ${name}`);
    });
}
