import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The environment with the folder of programs that the setup installs for a clone (kubectl, Envoy) at the end of the
 * PATH, so that programs of the machine come first.
 */
export function withToolPath(env: Env): Env {
  return { ...env, PATH: [env.PATH, toolDirectory(env)].filter(Boolean).join(delimiter) };
}

function toolDirectory(env: Env): string {
  const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return join(cache, 'aquifer', 'venv', 'bin');
}

/** Where a program is that a shell with this environment runs, or would run with the folder of the setup's programs. */
export function findProgram(
  name: string,
  env: Env,
): { readonly directory: string; readonly isOfSetup: boolean } | null {
  const directories = (env.PATH ?? '').split(delimiter);
  const directory = directories.find((candidate) => existsSync(join(candidate, name)));
  return directory === undefined
    ? null
    : { directory, isOfSetup: directory === toolDirectory(env) };
}
