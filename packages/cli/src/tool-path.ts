import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The environment with the folder of programs that the setup installs for a clone (kubectl, Envoy) at the end of the
 * PATH, so that programs of the machine come first.
 */
export function withToolPath(env: Env): Env {
  const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  const tools = join(cache, 'aquifer', 'venv', 'bin');
  return { ...env, PATH: [env.PATH, tools].filter(Boolean).join(delimiter) };
}
