import type { TestProject } from 'vitest/node';
import { attachBed, downBed, upBed } from '../bed/bed.ts';
import { installCryopod } from '../bed/install.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    bedName: string;
  }
}

/**
 * One cluster for all end-to-end files: two nodes with Cryopod installed. CRYOPOD_E2E_BED names a bed that is already up, which is then left as
 * it is; otherwise the bed `e2e` is made and removed.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const existing = process.env.CRYOPOD_E2E_BED;
  const name = existing ?? 'e2e';
  const log = (line: string): void => console.log(`[bed ${name}] ${line}`);
  const bed = existing === undefined ? await upBed({ name, nodes: 2, log }) : await attachBed(name);
  await installCryopod(bed, { log });
  project.provide('bedName', name);
  return async () => {
    if (existing === undefined) await downBed(name);
  };
}
