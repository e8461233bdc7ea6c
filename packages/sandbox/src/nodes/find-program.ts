import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The file of a program, or null. */
export function findProgram(name: string, path: string): string | null {
  for (const directory of path.split(delimiter)) {
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here; the next directory may have it.
    }
  }
  return null;
}
