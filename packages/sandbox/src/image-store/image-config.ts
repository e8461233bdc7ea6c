/** What an image says about the program in it (https://github.com/opencontainers/image-spec/blob/main/config.md). */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface ImageConfig {
  readonly os?: string;
  readonly architecture?: string;
  readonly config?: {
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly Env?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly User?: string;
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** Variables of `KEY=value` lines. */
export function imageEnvironment(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = line, value = ''] = /^([^=]*)=(.*)$/s.exec(line) ?? [];
      return [name, value];
    }),
  );
}

/** Who the image's program runs as. */
export interface ImageUser {
  readonly user: number;
  readonly group: number;
  readonly supplementalGroups: readonly number[];
  readonly home: string;
}

/**
 * The user of `USER[:GROUP]`, each a name or a number, with what /etc/passwd and /etc/group of the image say. `layers` are
 * directories, lowest first. Throws for a name that the image does not know.
 */
export function imageUser(text: string, layers: readonly string[]): ImageUser {
  const [userText = '', groupText] = text.split(':');
  const groups = entries('etc/group', layers);
  const known = entryOf(userText || '0', entries('etc/passwd', layers));
  const user = idOf(userText || '0', known, 'user');
  const group =
    groupText === undefined
      ? Number(known?.[3] ?? 0)
      : idOf(groupText, entryOf(groupText, groups), 'group');
  const supplementalGroups = groups
    .filter(([, , , members = '']) => known !== undefined && members.split(',').includes(known[0]!))
    .map(([, , gid]) => Number(gid));
  return { user, group, supplementalGroups, home: known?.[5] || '/' };
}

/** Both files begin with `name:password:id`. */
function entryOf(nameOrId: string, known: readonly string[][]): string[] | undefined {
  return known.find(([name, , id]) => name === nameOrId || id === nameOrId);
}

function idOf(nameOrId: string, known: readonly string[] | undefined, kind: string): number {
  const id = Number(known?.[2] ?? nameOrId);
  if (Number.isNaN(id)) throw new Error(`the image has no ${kind} ${nameOrId}`);
  return id;
}

function entries(file: string, layers: readonly string[]): string[][] {
  const path = layers.map((layer) => fileWithin(layer, file)).findLast((found) => found !== null);
  if (path === undefined || path === null) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
}

const MAX_FILE_BYTES = 1024 * 1024;

/** The file of a layer, which may hold anything: null for what is none, is too large, or lies elsewhere by a link. */
function fileWithin(layer: string, file: string): string | null {
  const path = realpathOrNull(join(layer, file));
  if (path === null || !path.startsWith(`${realpathSync(layer)}/`)) return null;
  const stats = statSync(path);
  return stats.isFile() && stats.size <= MAX_FILE_BYTES ? path : null;
}

function realpathOrNull(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
