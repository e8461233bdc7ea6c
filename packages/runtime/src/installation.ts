import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Root of the clone, or of the installed package: the nearest folder above a file's that has `deploy`. Bundles and
 * sources lie at different depths below it.
 */
export function installationRoot(folder: string): string {
  if (existsSync(join(folder, 'deploy'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('this program is not in an installation of Aquifer');
  return installationRoot(parent);
}
