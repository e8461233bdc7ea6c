import { join } from 'node:path';
import { cleanUp, DATA } from './cleanup.ts';
import { SandboxError } from './errors.ts';
import { parseReference } from './image-store/reference.ts';
import { pullableImage } from './image-store/registry.ts';
import { ImageStore, type StoredImage } from './image-store/store.ts';

type Report = (step: Readonly<Record<string, unknown>>) => void;

/**
 * What is done once, beside a sandbox that runs or without one. Throws `SandboxError`.
 *
 *   cleanup                                           removes what a crashed sandbox left
 *   images load ARCHIVE… | pull NAME… | list          what is stored is there for the next container that starts
 */
export async function runCommand(
  [command, ...args]: readonly string[],
  dataDirectory: string,
  report: Report,
): Promise<void> {
  if (command === 'cleanup') report({ event: 'cleaned-up', found: await cleanUp() });
  else if (command === 'images') await runImagesCommand(args, dataDirectory, report);
  else throw new SandboxError('SB_COMMAND', `no command ${command}: cleanup or images`);
}

async function runImagesCommand(
  [verb, ...args]: readonly string[],
  dataDirectory: string,
  report: Report,
): Promise<void> {
  const store = new ImageStore(join(dataDirectory, DATA.images));
  const reportAll = (event: string, images: readonly StoredImage[]): void => {
    for (const { name, id, layers } of images) report({ event, name, id, layers: layers.length });
  };
  switch (verb) {
    case 'list':
      return reportAll('image', await store.list());
    case 'load':
      for (const archive of args) {
        reportAll('loaded', await explained(archive, () => store.load(archive)));
      }
      return;
    case 'pull':
      for (const name of args) {
        const pull = async (): Promise<readonly StoredImage[]> =>
          store.add(await pullableImage(parseReference(name), []));
        reportAll('pulled', await explained(name, pull));
      }
      return;
    default:
      throw new SandboxError('SB_COMMAND', 'images: load ARCHIVE…, pull NAME… or list');
  }
}

async function explained<Outcome>(what: string, action: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await action();
  } catch (error) {
    throw new SandboxError('SB_IMAGE', `${what}: ${(error as Error).message}`);
  }
}
