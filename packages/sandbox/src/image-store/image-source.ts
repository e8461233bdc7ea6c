/** An image as it comes, from an archive or a registry, before it is unpacked. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

export interface ImageSource {
  /** As `parseReference` spells them. Empty for an image that nobody named. */
  readonly names: readonly string[];
  /** Bytes of the image's configuration (JSON). */
  readonly config: Buffer;
  /** Lowest first: each a tar archive, perhaps compressed with gzip or zstd. */
  readonly layers: readonly (() => Promise<Readable>)[];
}

/** An entry of an index or a manifest. */
export interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  /** Of an index: the manifests of the platforms. */
  readonly manifests?: readonly Descriptor[];
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** This machine's architecture, in the words of images. */
const ARCHITECTURE = ARCHITECTURES[process.arch] ?? process.arch;

/** The manifest for this machine among those of an index. Throws when there is none. */
export function forThisMachine(descriptors: readonly Descriptor[]): Descriptor {
  const fitting = descriptors.find(
    ({ platform }) =>
      platform === undefined || (platform.os === 'linux' && platform.architecture === ARCHITECTURE),
  );
  if (fitting !== undefined) return fitting;
  const offered = descriptors.map(({ platform }) => `${platform?.os}/${platform?.architecture}`);
  throw new Error(`it is for ${offered.join(', ')}; this machine is linux/${ARCHITECTURE}`);
}

/** Those that the specification registers; nobody finds other bytes for one of their digests. */
const ALGORITHMS = ['sha256', 'sha512'];

/** Throws unless the bytes are what the digest promises. */
export function verified(bytes: Buffer, digest: string): Buffer {
  const [algorithm = '', expected] = digest.split(':');
  if (!ALGORITHMS.includes(algorithm))
    throw new Error(`${digest} is no digest of ${ALGORITHMS.join(' or ')}`);
  const actual = createHash(algorithm).update(bytes).digest('hex');
  if (actual !== expected) throw new Error(`${digest} has the content of ${algorithm}:${actual}`);
  return bytes;
}
