/**
 * The machine's programs inside a container whose root is an image, which may have none: copies of them, with their
 * libraries and the loader that runs them, in one directory that the container sees.
 */
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runCommand } from './command.ts';
import { findProgram } from './find-program.ts';

/** Where a container sees the tools; in the way of no image. */
export const TOOLS_IN_CONTAINER = '/.aquifer';

const LOADER = 'ld.so';
const TOOLS = ['env', 'mkdir', 'mount', 'rmdir', 'setpriv', 'umount'] as const;

/** A command line's beginning that runs a tool inside a container. */
export function toolInContainer(tool: (typeof TOOLS)[number]): readonly string[] {
  const inside = (file: string): string => `${TOOLS_IN_CONTAINER}/${file}`;
  return [inside(LOADER), '--library-path', TOOLS_IN_CONTAINER, inside(tool)];
}

/** Shell lines that make each tool's name run it, in a shell whose root is the container's already. */
export const TOOL_FUNCTIONS: string = TOOLS.map(
  (tool) => `${tool}() { ${toolInContainer(tool).join(' ')} "$@"; }`,
).join('\n');

/** Fills `directory` with the tools. Throws when one is not installed, or not made for a loader. */
export async function copyTools(directory: string, path: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const tool of TOOLS) {
    const file = findProgram(tool, path);
    if (file === null) throw new Error(`${tool} is not installed on this machine`);
    await copyFile(file, join(directory, tool));
    for (const [name, source] of libraries(await runCommand('ldd', [file]))) {
      await copyFile(source, join(directory, name));
    }
  }
}

/** What ldd(1) prints: `libc.so.6 => /lib/libc.so.6 (0x…)`, and the loader as a bare path. */
function libraries(printed: string): readonly (readonly [name: string, source: string])[] {
  return printed.split('\n').flatMap((line) => {
    const [, name, source] = /^\s*(?:(\S+) => )?(\/\S+) \(/.exec(line) ?? [];
    if (source === undefined) return [];
    return [[name === undefined ? LOADER : basename(name), source] as const];
  });
}
