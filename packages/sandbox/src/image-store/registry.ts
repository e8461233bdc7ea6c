/**
 * Pulling from a registry (https://github.com/opencontainers/distribution-spec/blob/main/spec.md), with a login or as
 * somebody whom it does not know.
 */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import {
  type Descriptor,
  forThisMachine,
  type ImageSource,
  type Manifest,
  verified,
} from './image-source.ts';
import type { ImageReference } from './reference.ts';
import type { RegistryLogin } from './registry-login.ts';

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Where the registry of that name is reached; others are reached by their name. */
const HOSTS: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

const ANSWER_TIMEOUT_MS = 15_000;
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/**
 * What a registry has under a name; its layers are fetched when they are opened. The logins are tried one after the other.
 * Throws with the registry's last refusal.
 */
export async function pullableImage(
  reference: ImageReference,
  logins: readonly RegistryLogin[],
): Promise<ImageSource> {
  const [first = null, ...others] = logins;
  try {
    return await imageIn(new Repository(reference, first), reference);
  } catch (error) {
    if (others.length === 0) throw error;
    return pullableImage(reference, others);
  }
}

async function imageIn(repository: Repository, reference: ImageReference): Promise<ImageSource> {
  let manifest = await repository.manifest(reference.version);
  if (manifest.manifests !== undefined) {
    manifest = await repository.manifest(forThisMachine(manifest.manifests).digest);
  }
  const { config, layers = [] } = manifest;
  if (config === undefined) throw new Error('what the registry has is no image');
  return {
    names: [reference.name],
    config: verified(await repository.bytes(config), config.digest),
    layers: layers.map((layer) => () => repository.blob(layer)),
  };
}

class Repository {
  readonly #base: string;
  readonly #path: string;
  readonly #login: RegistryLogin | null;
  /** What the registry asked for at the first refusal. */
  #authorization: Readonly<Record<string, string>> = {};

  /** `login` is shown only to a registry that asks for one, and to the server of tokens that it names. */
  constructor({ registry, repository }: ImageReference, login: RegistryLogin | null) {
    this.#login = login;
    const host = HOSTS[registry] ?? registry;
    // As every client: a registry on this machine needs no certificate.
    const isLocal = /^(localhost|127\.[\d.]+|\[::1\])(:|$)/.test(host);
    this.#base = `${isLocal ? 'http' : 'https'}://${host}/v2/${repository}`;
    this.#path = repository;
  }

  async manifest(version: string): Promise<Manifest> {
    const response = await this.#get(`manifests/${version}`, { accept: MANIFEST_TYPES });
    const bytes = await limitedBytes(response);
    if (version.includes(':')) verified(bytes, version);
    return JSON.parse(bytes.toString()) as Manifest;
  }

  async bytes({ digest }: Descriptor): Promise<Buffer> {
    const response = await this.#get(`blobs/${digest}`);
    return limitedBytes(response);
  }

  async blob({ digest }: Descriptor): Promise<Readable> {
    const { body } = await this.#get(`blobs/${digest}`);
    if (body === null) throw new Error(`${digest}: the registry sends no content`);
    return Readable.fromWeb(body as ReadableStream<Uint8Array>);
  }

  async #get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const url = `${this.#base}/${path}`;
    let response = await answered(url, { ...headers, ...this.#authorization });
    const challenge = response.headers.get('www-authenticate');
    if (response.status === 401 && challenge !== null) {
      await response.body?.cancel();
      this.#authorization = { authorization: await this.#answer(challenge) };
      response = await answered(url, { ...headers, ...this.#authorization });
    }
    if (response.ok) return response;
    await response.body?.cancel();
    throw new Error(`${url}: ${response.status} ${response.statusText}`.trim());
  }

  /** What is encrypted to the registry goes to no server of tokens in clear text. Throws for a realm that is none. */
  #tokenServer(realm: string): URL {
    const url = URL.parse(realm);
    const protocols = this.#base.startsWith('https:') ? ['https:'] : ['https:', 'http:'];
    if (url !== null && protocols.includes(url.protocol)) return url;
    throw new Error(`the registry names ${JSON.stringify(realm)} as its server of tokens`);
  }

  /** What the registry's challenge asks for; a token as in https://distribution.github.io/distribution/spec/auth/token/ */
  async #answer(challenge: string): Promise<string> {
    if (/^basic /i.test(challenge) && this.#login !== null) return this.#login;
    const fields = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    const { realm, service } = fields;
    if (!/^bearer /i.test(challenge) || realm === undefined) {
      throw new Error(
        "the registry wants a login: name a Secret with it in the pod's imagePullSecrets (kubectl create secret docker-registry)",
      );
    }
    const url = this.#tokenServer(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${this.#path}:pull`);
    const response = await answered(
      url.href,
      this.#login === null ? {} : { authorization: this.#login },
    );
    if (!response.ok)
      throw new Error(`${url.host}: ${response.status} ${response.statusText}`.trim());
    const text = (await limitedBytes(response)).toString();
    const { token, access_token } = JSON.parse(text) as Record<string, string>;
    return `Bearer ${token ?? access_token}`;
  }
}

/** The whole answer; throws when it is larger than a manifest or a configuration may be (distribution-spec: 4 MiB). */
async function limitedBytes({ body, url }: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) throw new Error(`${url}: more than ${MAX_DOCUMENT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The answer's head; throws when there is none in time. Its body may take as long as it needs. */
async function answered(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), ANSWER_TIMEOUT_MS);
  try {
    return await fetch(url, { headers, signal: patience.signal });
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    const reason = patience.signal.aborted ? 'no answer in time' : (cause?.message ?? message);
    throw new Error(`${new URL(url).host}: ${reason}`);
  } finally {
    clearTimeout(timer);
  }
}
