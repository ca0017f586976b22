import { stat, statfs } from 'node:fs/promises';
import type { Place, Room } from './order/space.ts';

/** The room of this node's directories. One that is missing is absent: whoever writes there says it better. */
export async function diskRooms(
  directories: Readonly<Record<Place, string>>,
): Promise<readonly Room[]> {
  const room = async (place: Place): Promise<Room | undefined> => {
    const directory = directories[place];
    try {
      const { dev } = await stat(directory);
      const { bavail, bsize } = await statfs(directory);
      return { place, directory, device: String(dev), freeBytes: bavail * bsize };
    } catch {
      return undefined;
    }
  };
  const rooms = await Promise.all([room('staging'), room('store')]);
  return rooms.filter((found) => found !== undefined);
}
