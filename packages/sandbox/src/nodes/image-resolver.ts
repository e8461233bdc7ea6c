import { join } from 'node:path';
import { err, ok, type Result } from '@aquifer/model';
import { imageEnvironment, imageUser } from '../image-store/image-config.ts';
import { parseReference } from '../image-store/reference.ts';
import { pullableImage } from '../image-store/registry.ts';
import { loginsFor, loginsOfSecret } from '../image-store/registry-login.ts';
import type { ImageStore, StoredImage } from '../image-store/store.ts';
import { knownNames, type Machine, type Program, programOf } from './images.ts';
import { type OwnImage, ownProgram } from './own-images.ts';

export interface ImageResolverDeps {
  readonly machine: Machine;
  readonly ownImages: readonly OwnImage[];
  readonly store: ImageStore;
}

/** First wait after a failed pull, doubled up to the last; the kubelet's numbers. */
const FIRST_BACK_OFF_MS = 10_000;
const LAST_BACK_OFF_MS = 300_000;

interface PullFailure {
  readonly error: Error;
  readonly backOffMs: number;
  readonly untilMs: number;
}

const NOTHING: Program = {
  entrypoint: [],
  args: [],
  environment: {},
  mounts: [],
  preparation: [],
  user: null,
  group: null,
  supplementalGroups: [],
  workingDirectory: '/',
  layers: null,
};

/**
 * From an image's name to what runs. The first that knows it decides: the user's own programs, images that were loaded
 * or pulled, the sandbox's programs, a registry.
 */
export class ImageResolver {
  readonly #deps: ImageResolverDeps;
  /** By name and logins: pods that need the same image wait for one pull. */
  readonly #pulls = new Map<string, Promise<StoredImage>>();
  /** By name and logins: what failed, and when it may be tried again. */
  readonly #failures = new Map<string, PullFailure>();

  constructor(deps: ImageResolverDeps) {
    this.#deps = deps;
  }

  /**
   * The error says, for people, why there is none and how to add one. `pullSecrets` are the contents of Secrets with logins;
   * what was pulled with one is there for every pod.
   */
  async resolve(
    image: string,
    pullSecrets: readonly Readonly<Record<string, Buffer>>[],
  ): Promise<Result<Program, string>> {
    const { machine, ownImages, store } = this.#deps;
    const own = ownProgram(ownImages, image, machine);
    if (own !== null) return own.ok ? ok({ ...NOTHING, ...own.value }) : own;
    const stored = await store.find(image);
    if (stored !== null) return this.#storedProgram(stored);
    const known = programOf(image, machine);
    if (known !== null) return known.ok ? ok({ ...NOTHING, ...known.value }) : known;
    try {
      return this.#storedProgram(await this.#pull(image, pullSecrets.flatMap(loginsOfSecret)));
    } catch (error) {
      return err(
        `the sandbox has no image ${JSON.stringify(image)}, and cannot pull it: ${(error as Error).message}; ` +
          `add it with: aquifer sandbox images load ARCHIVE; programs of the sandbox are ${knownNames()}`,
      );
    }
  }

  #pull(image: string, stored: ReturnType<typeof loginsOfSecret>): Promise<StoredImage> {
    const reference = parseReference(image);
    const logins = loginsFor(reference, stored);
    // What nobody gets without a login may be there for who has one.
    const name = [reference.name, ...logins].join(' ');
    const failed = this.#failures.get(name);
    if (failed !== undefined && Date.now() < failed.untilMs) return Promise.reject(failed.error);
    const running = this.#pulls.get(name);
    if (running !== undefined) return running;
    const pull = pullableImage(reference, logins)
      .then((source) => this.#deps.store.add(source))
      .then(([stored]) => stored!)
      .catch((error: Error) => {
        const doubled = (failed?.backOffMs ?? FIRST_BACK_OFF_MS / 2) * 2;
        const backOffMs = Math.min(doubled, LAST_BACK_OFF_MS);
        this.#failures.set(name, { error, backOffMs, untilMs: Date.now() + backOffMs });
        throw error;
      })
      .finally(() => this.#pulls.delete(name));
    this.#pulls.set(name, pull);
    return pull;
  }

  #storedProgram({ config, layers }: StoredImage): Result<Program, string> {
    const { Entrypoint, Cmd, Env, WorkingDir, User } = config.config ?? {};
    const directories = layers.map((layer) => join(this.#deps.store.layersDirectory, layer));
    try {
      const { user, group, supplementalGroups, home } = imageUser(User ?? '', directories);
      return ok({
        ...NOTHING,
        entrypoint: Entrypoint ?? [],
        args: Cmd ?? [],
        environment: { HOME: home, ...imageEnvironment(Env ?? []) },
        user,
        group,
        supplementalGroups,
        workingDirectory: WorkingDir || '/',
        layers,
      });
    } catch (error) {
      return err((error as Error).message);
    }
  }
}
