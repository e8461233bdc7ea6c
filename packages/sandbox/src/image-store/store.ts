/**
 * The images that were loaded or pulled, unpacked, in one directory. It is all on disk, so that a command may load one
 * while the sandbox runs:
 *
 *   layers/<first digits of the digest>   the layer as a lower directory of overlayfs; layers are shared
 *   images/<name, encoded>.json           the image of that name: its configuration and its layers
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readArchive } from './archive.ts';
import type { ImageConfig } from './image-config.ts';
import type { ImageSource } from './image-source.ts';
import { unpackLayer } from './layer.ts';
import { parseReference } from './reference.ts';

/** Digits of a digest in the name of a layer: mount(2) takes a page of options, and all layers stand in them. */
const LAYER_NAME_DIGITS = 16;

export interface StoredImage {
  /** As `parseReference` spells it. */
  readonly name: string;
  /** Digest of the configuration, which is the image's id. */
  readonly id: string;
  readonly config: ImageConfig;
  /** Names below `layersDirectory`, lowest first. */
  readonly layers: readonly string[];
}

export class ImageStore {
  readonly layersDirectory: string;
  readonly #images: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.layersDirectory = join(directory, 'layers');
    this.#images = join(directory, 'images');
  }

  /** By name. */
  async list(): Promise<readonly StoredImage[]> {
    const files = await readdir(this.#images).catch(() => []);
    const finished = files.filter((file) => file.endsWith('.json'));
    const found = await Promise.all(finished.map((file) => this.#read(join(this.#images, file))));
    return found.filter((image) => image !== null);
  }

  /** The image of any spelling of a name, or null. */
  find(name: string): Promise<StoredImage | null> {
    return this.#read(this.#file(parseReference(name).name));
  }

  /** Stores the images of an archive; see `readArchive`. Throws for one without a name, or for another machine. */
  async load(archive: string): Promise<readonly StoredImage[]> {
    return this.#withScratch(async (scratch) => {
      const stored: StoredImage[] = [];
      for (const source of await readArchive(archive, scratch)) {
        if (source.names.length === 0) {
          throw new Error('an image in it has no name: give it one before it is saved');
        }
        stored.push(...(await this.add(source)));
      }
      return stored;
    });
  }

  /** Unpacks what is not there yet, and gives the image its names. Throws when the image cannot run here. */
  async add(source: ImageSource): Promise<readonly StoredImage[]> {
    const config = JSON.parse(source.config.toString()) as ImageConfig;
    const digests: unknown = (config as Partial<ImageConfig> | null)?.rootfs?.diff_ids;
    if (!isListOfTexts(digests)) throw new Error('its configuration names no layers');
    const wrong = digests.find((digest) => !/^sha256:[0-9a-f]{64}$/.test(digest));
    if (wrong !== undefined) throw new Error(`not the digest of a layer: ${wrong}`);
    if (digests.length === 0 || digests.length !== source.layers.length) {
      throw new Error(`it has ${source.layers.length} layers, and digests of ${digests.length}`);
    }
    for (const [index, digest] of digests.entries()) {
      await this.#addLayer(digest, source.layers[index]!);
    }
    const id = `sha256:${createHash('sha256').update(source.config).digest('hex')}`;
    const layers = digests.map(layerName);
    const images = source.names.map((name) => ({ name, id, config, layers }));
    await mkdir(this.#images, { recursive: true });
    for (const image of images) {
      const file = this.#file(image.name);
      await writeFile(`${file}.new`, JSON.stringify(image));
      await rename(`${file}.new`, file);
    }
    return images;
  }

  async #addLayer(digest: string, open: ImageSource['layers'][number]): Promise<void> {
    const directory = join(this.layersDirectory, layerName(digest));
    if (existsSync(directory)) return;
    await this.#withScratch(async (scratch) => {
      const actual = await unpackLayer(await open(), scratch);
      if (actual !== digest) throw new Error(`layer ${digest} has the content of ${actual}`);
      await mkdir(this.layersDirectory, { recursive: true });
      // Another one may have been faster; its layer is the same.
      await rename(scratch, directory).catch((error: unknown) => {
        if (!existsSync(directory)) throw error;
      });
    });
  }

  async #withScratch<Outcome>(use: (scratch: string) => Promise<Outcome>): Promise<Outcome> {
    await mkdir(this.#directory, { recursive: true });
    const scratch = await mkdtemp(join(this.#directory, 'unpacking-'));
    try {
      return await use(scratch);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  #file(name: string): string {
    return join(this.#images, `${encodeURIComponent(name)}.json`);
  }

  async #read(path: string): Promise<StoredImage | null> {
    if (!existsSync(path)) return null;
    return JSON.parse(await readFile(path, 'utf8')) as StoredImage;
  }
}

function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function layerName(digest: string): string {
  return (digest.split(':')[1] ?? '').slice(0, LAYER_NAME_DIGITS);
}
