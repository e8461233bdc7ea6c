import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where kubectl is: in the project's own virtual environment, or on the PATH. Null when it is in neither. */
export function findKubectl(): string | null {
  const own = join(homedir(), '.cache', 'aquifer', 'venv', 'bin');
  const directories = [own, ...(process.env.PATH ?? '').split(delimiter)];
  return (
    directories.map((directory) => join(directory, 'kubectl')).find((path) => existsSync(path)) ??
    null
  );
}
