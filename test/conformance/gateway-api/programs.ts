/** What the official suite needs: itself, and the echo program of Istio that its pods run, both from their Go modules. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { goCommand, goFolder } from '../../setup/go-programs.mjs';

export interface SuitePrograms {
  /** The suite, as a test program. */
  readonly suite: string;
  /** Programs of the image `image`, by their names. */
  readonly echo: Readonly<Record<'client' | 'server', string>>;
  /** What manifests of the suite call the image of the echo program. */
  readonly image: string;
  /** Of the module. */
  readonly version: string;
}

const SUITE_MODULE = 'sigs.k8s.io/gateway-api/conformance';
const ECHO = 'istio.io/istio/pkg/test/echo/cmd';

function go(folder: string, ...args: readonly string[]): string {
  if (goCommand === null) throw new Error('the suite is in Go, which is not installed');
  return execFileSync(goCommand, args, {
    cwd: goFolder(folder),
    env: { ...process.env, CGO_ENABLED: '0' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

/** Built once for each version of the suite; the first time takes minutes. Throws without Go. */
export function buildSuitePrograms(): SuitePrograms {
  const [directory, version] = go(
    'gateway-conformance',
    ...['list', '-m', '-f', '{{.Dir}} {{.Version}}', SUITE_MODULE],
  ).split(' ') as [string, string];
  const cache = join(homedir(), '.cache', 'aquifer', `gateway-api-${version}`);
  mkdirSync(cache, { recursive: true });
  const suite = join(cache, 'suite');
  if (!existsSync(suite)) go('gateway-conformance', 'test', '-c', '-o', suite, '.');
  const built = (name: string): string => {
    const program = join(cache, name);
    if (!existsSync(program)) go('istio-echo', 'build', '-o', program, `${ECHO}/${name}`);
    return program;
  };
  const manifests = readFileSync(join(directory, 'mesh', 'manifests.yaml'), 'utf8');
  const [, image] = /image: (\S+)/.exec(manifests) ?? [];
  if (image === undefined) throw new Error(`${directory}/mesh/manifests.yaml names no image`);
  return { suite, echo: { client: built('client'), server: built('server') }, image, version };
}
