import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { parseRevocationLists, type RevocationList } from '@aquifer/hbone';
import type { Logger } from '@aquifer/runtime';

/** A mounted file is replaced in several steps (spec ztunnel 6.6). */
const DEBOUNCE_MS = 2000;
/** The folder is not there yet, or is there no more. */
const RETRY_MS = 5000;

export interface RevocationFileDeps {
  readonly log: Logger;
  /** Once for every change, and at once if there is something to read. */
  readonly onLists: (lists: readonly RevocationList[]) => void;
}

/**
 * The file of revocation lists, read at once and whenever something happens in its folder. A file that is not there
 * revokes nothing, until it comes; one that cannot be read leaves what was read last, at the start nothing.
 */
export class RevocationFile {
  readonly #path: string;
  readonly #deps: RevocationFileDeps;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;
  /** What was said last: the same is not said again. */
  #seen: Buffer | null = null;
  #isKnownMissing = false;

  constructor(path: string, deps: RevocationFileDeps) {
    this.#path = path;
    this.#deps = deps;
    this.#watch();
    this.#read();
  }

  stop(): void {
    this.#isStopped = true;
    this.#watcher?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #watch(): void {
    this.#watcher?.close();
    this.#watcher = null;
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, () =>
        this.#later(DEBOUNCE_MS),
      );
      this.#watcher.on('error', () => this.#lost());
    } catch {
      this.#later(RETRY_MS);
    }
  }

  #lost(): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.#later(RETRY_MS);
  }

  /** Counted from the first of what happens: a folder that changes all the time puts nothing off. */
  #later(ms: number): void {
    if (this.#isStopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      // The folder may be another one by now.
      this.#watch();
      this.#read();
    }, ms).unref();
  }

  #read(): void {
    const { log, onLists } = this.#deps;
    const path = this.#path;
    let file: Buffer;
    try {
      file = readFileSync(path);
      this.#isKnownMissing = false;
    } catch (error) {
      this.#cannotRead(error as NodeJS.ErrnoException);
      return;
    }
    if (this.#seen !== null && file.equals(this.#seen)) return;
    try {
      const lists = parseRevocationLists(file);
      this.#seen = file;
      onLists(lists);
      const serials = lists.reduce((sum, { serials: { size } }) => sum + size, 0);
      log.info('revocation lists are in force', { path, lists: lists.length, revoked: serials });
    } catch (error) {
      const kept = this.#seen === null ? 'nothing is revoked' : 'the lists before stay in force';
      log.warn(`not a revocation list: ${kept}`, { path, error: (error as Error).message });
    }
  }

  /** Whoever revokes nothing has no file: that is no warning, and is said once. */
  #cannotRead({ code, message }: NodeJS.ErrnoException): void {
    const isMissing = code === 'ENOENT' && this.#seen === null;
    if (isMissing && this.#isKnownMissing) return;
    this.#isKnownMissing = isMissing;
    if (isMissing) this.#deps.log.info('there are no revocation lists', { path: this.#path });
    else
      this.#deps.log.warn('revocation lists cannot be read', { path: this.#path, error: message });
  }
}
