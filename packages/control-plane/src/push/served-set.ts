import type { Resource } from '../derive/resource.ts';

/** What changed: new or other versions, and names that are gone. */
export interface Difference {
  readonly changed: readonly Resource[];
  readonly removed: readonly string[];
}

/** Follows a set: each call of `next` returns what has changed since the call before, each name once. */
export interface ServedReader {
  next(): Difference;
  /** It has fallen so far behind that what it has missed is not kept any more; whoever reads must begin anew. */
  readonly isLost: boolean;
  /** Its place in the order of changes is kept for it until then. */
  close(): void;
}

const NOTHING: Difference = { changed: [], removed: [] };
/** The order of changes is tidied up when more than about so many of its entries may be outdated. */
const MAX_OUTDATED = 1000;
/** Names that are gone, and that nobody who keeps up needs, are kept up to so many beside twice those that are there. */
const MAX_GONE = 10_000;

/**
 * The resources of one type that some proxies share, by name, and the order in which they changed: a proxy that reads
 * slowly is told of the newest state of what it has missed, and nothing is kept for it but its place.
 */
export class ServedSet {
  readonly #resources = new Map<string, Resource>();
  /** Names in the order of their changes; the first stands at `#start`. A later entry outdates an earlier one. */
  #log: string[] = [];
  #start = 0;
  #tidyAt = MAX_OUTDATED;
  readonly #readers = new Set<Place>();
  /** Most readers stand at the same place. */
  #last: { readonly from: number; readonly difference: Difference } | null = null;

  get size(): number {
    return this.#resources.size;
  }

  /** Whether it holds nothing, and nobody follows it. */
  get isIdle(): boolean {
    return this.#resources.size === 0 && this.#readers.size === 0;
  }

  /** How many changes are kept for those who have not read them, outdated ones included. */
  get backlog(): number {
    return this.#log.length;
  }

  get(name: string): Resource | undefined {
    return this.#resources.get(name);
  }

  has(name: string): boolean {
    return this.#resources.has(name);
  }

  values(): Iterable<Resource> {
    return this.#resources.values();
  }

  /** Another version is a change; the same one made by other objects is not. */
  put(resource: Resource): void {
    const { name, version } = resource;
    const known = this.#resources.get(name);
    this.#resources.set(name, resource);
    if (known?.version !== version) this.#changed(name);
  }

  remove(name: string): void {
    if (this.#resources.delete(name)) this.#changed(name);
  }

  /** Begins at what the set holds now. */
  follow(): ServedReader {
    const place: Place = { position: this.#end };
    this.#readers.add(place);
    return {
      next: () => {
        const difference = this.#since(place.position);
        if (place.position >= 0) place.position = this.#end;
        return difference;
      },
      get isLost() {
        return place.position < 0;
      },
      close: () => this.#readers.delete(place),
    };
  }

  get #end(): number {
    return this.#start + this.#log.length;
  }

  #changed(name: string): void {
    this.#log.push(name);
    this.#last = null;
    if (this.#log.length <= this.#tidyAt) return;
    this.#tidy();
    this.#tidyAt = 2 * Math.max(this.#log.length, this.#resources.size) + MAX_OUTDATED;
  }

  #since(position: number): Difference {
    if (position === this.#end || position < 0) return NOTHING;
    if (this.#last?.from === position) return this.#last.difference;
    const names = new Set(this.#log.slice(Math.max(0, position - this.#start)));
    const changed: Resource[] = [];
    const removed: string[] = [];
    for (const name of names) {
      const resource = this.#resources.get(name);
      if (resource === undefined) removed.push(name);
      else changed.push(resource);
    }
    const difference = { changed, removed };
    this.#last = { from: position, difference };
    return difference;
  }

  /** Drops what every reader has read, and all but the last entry of each name. */
  #tidy(): void {
    const end = this.#end;
    const slowest = Math.min(end, ...Array.from(this.#readers, ({ position }) => position));
    const kept = new Map<string, number>();
    for (let position = slowest; position < end; position++) {
      const name = this.#log[position - this.#start]!;
      kept.delete(name);
      kept.set(name, position);
    }
    // Places move along: those of equal entries before and after stay equal.
    const positions = [...kept.values()];
    this.#log = [...kept.keys()];
    this.#start = end - this.#log.length;
    for (const place of this.#readers) {
      const read = positions.findIndex((position) => position >= place.position);
      place.position = read < 0 ? end : this.#start + read;
    }
    this.#loseSlowest();
  }

  /** Whoever never reads would have every name kept that ever was. */
  #loseSlowest(): void {
    const excess = this.#log.length - 2 * this.#resources.size - MAX_GONE;
    if (excess <= 0) return;
    this.#log = this.#log.slice(excess);
    this.#start += excess;
    for (const place of this.#readers) {
      if (place.position >= this.#start) continue;
      place.position = LOST;
      this.#readers.delete(place);
    }
  }
}

const LOST = -1;

interface Place {
  /** Negative once it is lost. */
  position: number;
}
