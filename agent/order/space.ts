import { formatBytes } from '../../core/units.ts';

/** Where a capture writes: its staging directory, then the store. */
export const places = ['staging', 'store'] as const;
export type Place = (typeof places)[number];

/** Room in one place now. `device`: the file system it is on; two places may share one. */
export type Room = {
  readonly place: Place;
  readonly directory: string;
  readonly device: string;
  readonly freeBytes: number;
};

/** Why an order cannot have its room. `forever`: it would not fit either if all others were done. */
export type Shortage = { readonly message: string; readonly forever: boolean };

type Share = Record<Place, number>;

/**
 * Bytes that running orders are still to write. What is free is not free for two: an order reserves before it freezes anything, and its share
 * shrinks as its bytes get onto the disk and leave the free space by themselves. Kept in memory, rebuilt from the journal after a restart.
 */
export class Space {
  readonly #look: () => Promise<readonly Room[]>;
  readonly #shares = new Map<string, Share>();

  /** `look`: the room there is; a place of which nobody knows is absent. */
  constructor(look: () => Promise<readonly Room[]>) {
    this.#look = look;
  }

  /** Sets the bytes aside in both places, or says what is missing and sets nothing aside. */
  async reserve(uid: string, bytes: number): Promise<Shortage | undefined> {
    const rooms = await this.#look();
    // From here on nothing is awaited: of two that ask at once the second sees the first one's share.
    for (const room of rooms) {
      const shared = rooms.filter(({ device }) => device === room.device).map(({ place }) => place);
      const needed = bytes * shared.length;
      const others = this.#outstanding(shared, uid);
      if (room.freeBytes >= needed + others) continue;
      const reserved = others === 0 ? '' : `, ${formatBytes(others)} of them for other captures`;
      const message = `${room.directory} has ${formatBytes(room.freeBytes)} free${reserved}; this capture may need ${formatBytes(needed)}`;
      return { message, forever: room.freeBytes < needed };
    }
    this.restore(uid, { staging: bytes, store: bytes });
    return undefined;
  }

  /** Sets aside without asking: for what an earlier agent began. */
  restore(uid: string, share: Readonly<Share>): void {
    this.#shares.set(uid, { ...share });
  }

  /** What of an order's share is still to be written in a place; never more than it had. */
  left(uid: string, place: Place, bytes: number): void {
    const share = this.#shares.get(uid);
    if (share === undefined) return;
    share[place] = Math.min(share[place], Math.max(0, bytes));
  }

  /** Gives a share back; none is fine. */
  release(uid: string): void {
    this.#shares.delete(uid);
  }

  /** Bytes set aside in a place; for metrics. */
  reservedBytes(place: Place): number {
    return this.#outstanding([place], '');
  }

  #outstanding(among: readonly Place[], except: string): number {
    let sum = 0;
    for (const [uid, share] of this.#shares) {
      if (uid !== except) for (const place of among) sum += share[place];
    }
    return sum;
  }
}
