/** Images that the user names at the start: a name stands for a program of this machine. */
import { existsSync } from 'node:fs';
import { err, ok, type Result } from '@aquifer/model';
import { parseReference } from '../image-store/reference.ts';
import type { BindMount } from './container-launch.ts';
import { findProgram } from './find-program.ts';
import { type Machine, type Program, repositoryName } from './images.ts';

/** A name, with or without a tag, and a command line. */
export interface OwnImage {
  readonly name: string;
  readonly command: readonly string[];
}

/** Lines of `NAME=PROGRAM ARGUMENT…`; empty ones and those that begin with # do not count. Throws for any other. */
export function parseOwnImages(text: string): readonly OwnImage[] {
  const images: OwnImage[] = [];
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, program] = /^([^\s=]+)=(\S.*)$/.exec(line) ?? [];
    if (name === undefined || program === undefined) {
      throw new Error(`lines of NAME=PROGRAM, not ${JSON.stringify(line)}`);
    }
    images.push({ name, command: program.split(/\s+/) });
  }
  return images;
}

/** The user's program for an image, whatever its registry and, unless the user named one, its tag; null for none. */
export function ownProgram(
  images: readonly OwnImage[],
  image: string,
  machine: Machine,
): Result<Partial<Program>, string> | null {
  const own = images.find(({ name }) => isNamed(image, name));
  if (own === undefined) return null;
  const [program = '', ...args] = own.command;
  const file = program.includes('/') ? program : findProgram(program, machine.path);
  if (file === null || !existsSync(file)) {
    return err(`${program}, which image ${own.name} stands for, is not on this machine`);
  }
  // Containers have a /tmp and a /run of their own.
  const mount: BindMount = { source: file, target: file, kind: 'file', readOnly: true };
  return ok({ entrypoint: [file, ...args], mounts: [mount] });
}

function isNamed(image: string, name: string): boolean {
  if (parseReference(image).name === parseReference(name).name) return true;
  const repository = repositoryName(image);
  return repository === name || repository.endsWith(`/${name}`);
}
