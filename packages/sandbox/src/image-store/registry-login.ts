/** Who a pod is to registries: the Secrets that its `imagePullSecrets` name. */
import type { ImageReference } from './reference.ts';

/** The value of an `Authorization` header with user and password (RFC 7617). */
export type RegistryLogin = string;

interface DockerLogin {
  readonly username?: string;
  readonly password?: string;
  /** Base64 of `username:password`. */
  readonly auth?: string;
}

/** A login with the registry, or part of one, that it is for. */
interface StoredLogin {
  readonly pattern: string;
  readonly login: RegistryLogin;
}

/** What is known by another name in files of docker. */
const NAMES_OF_DOCKER_HUB = ['index.docker.io', 'registry-1.docker.io'];

/**
 * The logins of one Secret, of type kubernetes.io/dockerconfigjson or dockercfg. Empty for one that holds neither.
 * https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/
 */
export function loginsOfSecret(data: Readonly<Record<string, Buffer>>): readonly StoredLogin[] {
  const entries = parsed(data['.dockerconfigjson'])?.auths ?? parsed(data['.dockercfg']) ?? {};
  return Object.entries(entries as Record<string, DockerLogin>).flatMap(([name, entry]) => {
    const { username, password } = entry;
    const auth =
      username !== undefined && username !== ''
        ? Buffer.from(`${username}:${password ?? ''}`).toString('base64')
        : entry.auth;
    return auth === undefined ? [] : [{ pattern: patternOf(name), login: `Basic ${auth}` }];
  });
}

function parsed(text: Buffer | undefined): Record<string, unknown> | null {
  try {
    return text === undefined ? null : JSON.parse(text.toString());
  } catch {
    return null;
  }
}

/** `https://index.docker.io/v1/` names a host; `example.com/team` also the beginning of a repository. */
function patternOf(name: string): string {
  const bare = name.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  const [host = '', ...path] = bare.split('/');
  return [NAMES_OF_DOCKER_HUB.includes(host) ? 'docker.io' : host, ...path].join('/');
}

/** Those for an image, each once: the one for the longest part of its name first. */
export function loginsFor(
  { registry, repository }: ImageReference,
  stored: readonly StoredLogin[],
): readonly RegistryLogin[] {
  const name = `${registry}/${repository}`;
  const fitting = stored
    .filter(({ pattern }) => fits(pattern, name))
    .toSorted((a, b) => b.pattern.length - a.pattern.length);
  return [...new Set(fitting.map(({ login }) => login))];
}

/** A star stands for a part of a host name. */
function fits(pattern: string, name: string): boolean {
  const [wantedHost = '', ...wantedPath] = pattern.split('/');
  const [host = '', ...path] = name.split('/');
  const wantedParts = wantedHost.split('.');
  const parts = host.split('.');
  const hostFits =
    wantedParts.length === parts.length &&
    wantedParts.every((part, index) => part === '*' || part === parts[index]);
  return hostFits && wantedPath.every((part, index) => part === path[index]);
}
