/**
 * From a layer of an image to a directory that overlayfs takes as a lower one. What a layer removes stands in it as a
 * file `.wh.NAME` (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts); in overlayfs it is a
 * character device 0:0, and a directory that hides all below it has an attribute. The rest is left to tar(1), which knows
 * about links, owners and names that lead out of the directory.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header, pack } from 'tar-stream';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** The attribute of overlayfs, as tar(1) reads it. */
const OPAQUE_ATTRIBUTE = { 'SCHILY.xattr.trusted.overlay.opaque': 'y' };
/** Other names of AUFS's own housekeeping. */
const HOUSEKEEPING = '.wh..wh.';

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** Unpacks a layer into an existing, empty directory. Returns the digest of the uncompressed archive. */
export async function unpackLayer(blob: Readable, directory: string): Promise<string> {
  const hash = createHash('sha256');
  const hashed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const archive = extract();
  const read = pipeline(await decompressed(blob), hashed, archive);
  const written = unpackOverlay(archive, directory);
  await Promise.all([read, written]);
  return `sha256:${hash.digest('hex')}`;
}

async function decompressed(blob: Readable): Promise<Readable> {
  const first = await firstChunk(blob);
  const begins = (magic: Buffer): boolean => first.subarray(0, magic.length).equals(magic);
  if (begins(GZIP_MAGIC)) return piped(blob, createGunzip());
  return begins(ZSTD_MAGIC) ? piped(blob, createZstdDecompress()) : blob;
}

function piped(blob: Readable, decompressor: Transform): Readable {
  blob.on('error', (error) => decompressor.destroy(error));
  return blob.pipe(decompressor);
}

/** Looks at the first bytes without taking them. Empty for an empty stream. */
async function firstChunk(blob: Readable): Promise<Buffer> {
  while (!blob.readableEnded) {
    const chunk: Buffer | null = blob.read();
    if (chunk !== null) {
      blob.unshift(chunk);
      return chunk;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    blob.once('readable', done).once('end', done).once('error', reject);
    await promise;
    blob.off('readable', done).off('end', done).off('error', reject);
  }
  return Buffer.alloc(0);
}

async function unpackOverlay(
  archive: ReturnType<typeof extract>,
  directory: string,
): Promise<void> {
  const options = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf', '-'];
  const tar = spawn('tar', [...options, '-C', directory], { stdio: ['pipe', 'ignore', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once('error', reject).once('close', resolve);
  });
  const complaints = text(tar.stderr);
  const converted = pack();
  // When tar gives up, its own words are better than those of the broken pipe.
  const fed = pipeline(converted, tar.stdin).catch((error: Error) => archive.destroy(error));
  const conversion = convert(archive, converted).catch((error: Error) => {
    converted.destroy(error);
    return error;
  });
  await fed;
  const code = await ended;
  const wrong = (await complaints).trim();
  if (code !== 0 && wrong !== '') throw new Error(`tar: ${wrong}`);
  const failure = await conversion;
  if (failure !== undefined) throw failure;
}

async function convert(
  archive: ReturnType<typeof extract>,
  overlay: ReturnType<typeof pack>,
): Promise<void> {
  /** Headers of the directories of this layer, by their names. */
  const directories = new Map<string, Header>();
  for await (const entry of archive) {
    const { header } = entry;
    const name = posix.normalize(header.name).replace(/\/$/, '');
    const base = posix.basename(name);
    if (header.type === 'directory') directories.set(name, header);
    if (base === OPAQUE) {
      const parent = posix.dirname(name);
      const known: Partial<Header> & Pick<Header, 'name'> = directories.get(parent) ?? {
        name: parent,
        type: 'directory',
        mode: 0o755,
      };
      overlay.entry({ ...known, pax: OPAQUE_ATTRIBUTE });
      entry.resume();
    } else if (base.startsWith(WHITEOUT) && !base.startsWith(HOUSEKEEPING)) {
      const removed = posix.join(posix.dirname(name), base.slice(WHITEOUT.length));
      overlay.entry({ name: removed, type: 'character-device', devmajor: 0, devminor: 0 });
      entry.resume();
    } else if (header.type === 'file' || header.type === 'contiguous-file') {
      await pipeline(entry, overlay.entry({ ...header, type: 'file' }));
    } else {
      if (!base.startsWith(HOUSEKEEPING)) overlay.entry(header);
      entry.resume();
    }
  }
  overlay.finalize();
}
