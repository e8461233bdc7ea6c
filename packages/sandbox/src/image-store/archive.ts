/**
 * Images in an archive: what `docker save`, `podman save` and `buildah push … oci-archive:` write, or the directory of an
 * OCI image layout.
 */
import { createReadStream, existsSync, realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../nodes/command.ts';
import {
  type Descriptor,
  forThisMachine,
  type ImageSource,
  type Manifest,
  verified,
} from './image-source.ts';
import { parseReference } from './reference.ts';

/** Of an OCI image layout; the first is containerd's and Docker's, and holds the whole name. */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

interface SavedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

/** The images in an archive. `scratch` is an empty directory into which it may be unpacked; it must outlive the result. */
export async function readArchive(path: string, scratch: string): Promise<readonly ImageSource[]> {
  if (!existsSync(path)) throw new Error('no such file');
  const isDirectory = statSync(path).isDirectory();
  if (!isDirectory) await unpack(path, scratch);
  const directory = isDirectory ? path : scratch;
  // Docker writes both; what its own file says has the names that people gave.
  if (existsSync(join(directory, 'manifest.json'))) return savedImages(directory);
  if (existsSync(join(directory, 'index.json'))) return layoutImages(directory);
  throw new Error(`it holds no image: neither manifest.json (docker save) nor index.json (OCI)`);
}

async function unpack(path: string, scratch: string): Promise<void> {
  try {
    await runCommand('tar', ['-xf', path, '-C', scratch]);
  } catch (cause) {
    throw new Error(
      'it cannot be unpacked: an archive is what docker save, podman save or buildah push writes',
      { cause },
    );
  }
}

async function savedImages(directory: string): Promise<readonly ImageSource[]> {
  const saved = await json<readonly SavedImage[]>(join(directory, 'manifest.json'));
  return Promise.all(
    saved.map(async ({ Config, RepoTags, Layers }) => ({
      names: (RepoTags ?? []).map((name) => parseReference(name).name),
      config: await readFile(fileOf(directory, Config)),
      layers: Layers.map((layer) => async () => createReadStream(fileOf(directory, layer))),
    })),
  );
}

async function layoutImages(directory: string): Promise<readonly ImageSource[]> {
  const { manifests = [] } = await json<Manifest>(join(directory, 'index.json'));
  return Promise.all(manifests.map((descriptor) => layoutImage(directory, descriptor)));
}

async function layoutImage(directory: string, descriptor: Descriptor): Promise<ImageSource> {
  const blob = async ({ digest }: Descriptor): Promise<Buffer> =>
    verified(await readFile(blobPath(directory, digest)), digest);
  let manifest = JSON.parse((await blob(descriptor)).toString()) as Manifest;
  if (manifest.manifests !== undefined) {
    manifest = JSON.parse((await blob(forThisMachine(manifest.manifests))).toString()) as Manifest;
  }
  const { config, layers = [] } = manifest;
  if (config === undefined) throw new Error(`${descriptor.digest} is no manifest of an image`);
  const name = NAME_ANNOTATIONS.map((key) => descriptor.annotations?.[key]).find(Boolean);
  return {
    names: name === undefined ? [] : [parseReference(name).name],
    config: await blob(config),
    layers: layers.map(
      ({ digest }) =>
        async () =>
          createReadStream(blobPath(directory, digest)),
    ),
  };
}

function blobPath(directory: string, digest: string): string {
  return fileOf(directory, join('blobs', digest.replace(':', '/')));
}

/** A file of the archive. Throws for a name, or a link, that leads out of it. */
function fileOf(directory: string, name: string): string {
  const root = realpathSync(directory);
  const path = realpathSync(join(root, name));
  if (!path.startsWith(`${root}/`)) throw new Error(`${name} is outside of the archive`);
  return path;
}

async function json<Content>(path: string): Promise<Content> {
  return JSON.parse(await readFile(path, 'utf8')) as Content;
}
