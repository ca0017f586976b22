import { firstEntry } from './image-file.ts';

/** What CRIU says of a dump as a whole. */
export type Inventory = {
  readonly imageVersion: number;
  readonly securityModule: 'none' | 'SELinux' | 'AppArmor';
  /** Microseconds that the node had been up. */
  readonly uptimeMicroseconds: number | undefined;
};

const securityModules: ReadonlyMap<number | undefined, Inventory['securityModule']> = new Map([
  [1, 'SELinux'],
  [2, 'AppArmor'],
]);

/** inventory.img (inventory_entry). */
export function parseInventory(name: string, image: Buffer): Inventory {
  const entry = firstEntry(name, image, 'inventory');
  return {
    imageVersion: entry.required(1),
    securityModule: securityModules.get(entry.number(6)) ?? 'none',
    uptimeMicroseconds: entry.number(8),
  };
}
