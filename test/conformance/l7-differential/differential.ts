import fc from 'fast-check';
import { AccessLines } from './access-lines.ts';
import { type Batch, generated, hostOf, type ProxyName, startBatch } from './batch.ts';
import { type Case, casesOf } from './cases.ts';
import { ask } from './client.ts';
import { differences, type Observation, tell } from './comparison.ts';
import { Script } from './scripted-origin.ts';

const LANES = 6;
/** With one set of configurations; then the next batch begins. */
const REQUESTS_PER_BATCH = 2500;
/** A difference counts only if it is there each time the case runs alone. */
const CONFIRMATIONS = 2;
const MAX_SHRINKS = 25;

/** A case that the proxies do not treat alike, as small as it could be made. */
export interface Difference {
  readonly seed: number;
  readonly made: Case;
  readonly routes: readonly object[];
  readonly manager: object;
  readonly lines: readonly string[];
}

export interface DifferentialOptions {
  readonly requests: number;
  readonly seed: number;
  /** Ends the search. */
  readonly maxDifferences: number;
  readonly onProgress?: (compared: number, differing: number) => void;
}

/** Plays generated cases to both proxies. Resolves with how many were compared, and those that differ. */
export async function compareProxies(
  options: DifferentialOptions,
): Promise<{ readonly compared: number; readonly found: readonly Difference[] }> {
  const found: Difference[] = [];
  let compared = 0;
  for (let batchSeed = options.seed; compared < options.requests; batchSeed++) {
    const count = Math.min(REQUESTS_PER_BATCH, options.requests - compared);
    const run = new BatchRun(await startBatch(generated(batchSeed), LANES), batchSeed);
    try {
      await run.compare(count, {
        isEnough: () => found.length >= options.maxDifferences,
        onDifference: (difference) => found.push(difference),
        onCompared: () => {
          compared += 1;
          options.onProgress?.(compared, found.length);
        },
      });
    } finally {
      await run.stop();
    }
    if (found.length >= options.maxDifferences) break;
  }
  return { compared, found };
}

interface Listener {
  isEnough(): boolean;
  onDifference(difference: Difference): void;
  onCompared(): void;
}

/** Plays cases to the proxies of a batch. */
export class BatchRun {
  readonly #batch: Batch;
  readonly #seed: number;
  readonly #cases: fc.Arbitrary<Case>;
  readonly #lines: Readonly<Record<ProxyName, AccessLines>>;
  /** One case of each is enough to see. */
  readonly #kinds = new Set<string>();
  #asked = 0;

  constructor(batch: Batch, seed: number) {
    this.#batch = batch;
    this.#seed = seed;
    this.#cases = casesOf(batch.configurations);
    this.#lines = {
      envoy: new AccessLines(batch.proxies.envoy.logFile),
      ours: new AccessLines(batch.proxies.ours.logFile),
    };
  }

  async compare(count: number, listener: Listener): Promise<void> {
    const cases = fc.sample(this.#cases, { seed: this.#seed, numRuns: count });
    const suspects: number[] = [];
    let next = 0;
    const lane = async (number: number): Promise<void> => {
      while (next < cases.length) {
        const at = next++;
        if ((await this.#compareOne(cases[at]!, number)).length > 0) suspects.push(at);
        else listener.onCompared();
      }
    };
    await Promise.all(this.#batch.lanes.map((_, number) => lane(number)));
    for (const at of suspects) {
      if (listener.isEnough()) return;
      const made = cases[at]!;
      listener.onCompared();
      const lines = await this.confirm(made);
      const kind = kindOf(lines.join('\n'));
      if (lines.length === 0 || this.#kinds.has(kind)) continue;
      this.#kinds.add(kind);
      listener.onDifference(await this.#shrink(at, { made, lines }));
    }
  }

  async stop(): Promise<void> {
    for (const lines of Object.values(this.#lines)) lines.close();
    await this.#batch.stop();
  }

  /** The differences that are there each time; empty if there are none. */
  async confirm(made: Case): Promise<string[]> {
    let lines: string[] = [];
    for (let i = 0; i < CONFIRMATIONS; i++) {
      lines = await this.#compareOne(made, 0);
      if (lines.length === 0) return [];
    }
    return lines;
  }

  /** The smallest case that `fast-check` finds on the way from this one to nothing. */
  async #shrink(at: number, found: { made: Case; lines: string[] }): Promise<Difference> {
    let smallest = found;
    let tries = 0;
    // Another difference than this one would be shown in its stead.
    const known = new Set(found.lines.map(kindOf));
    const property = fc.asyncProperty(this.#cases, async (made) => {
      tries += 1;
      const lines = tries > MAX_SHRINKS ? [] : await this.confirm(made);
      if (lines.length === 0 || !lines.every((line) => known.has(kindOf(line)))) return;
      smallest = { made, lines };
      throw new Error('they differ');
    });
    await fc.check(property, { seed: this.#seed, path: String(at), numRuns: 1 });
    const { made, lines } = smallest;
    const { routes, manager } = this.#batch.configurations[made.configuration]!;
    return { seed: this.#seed, made, routes, manager, lines };
  }

  async #compareOne(made: Case, lane: number): Promise<string[]> {
    const envoy = await this.#observe('envoy', made, lane);
    const ours = await this.#observe('ours', made, lane);
    return differences(tell(envoy), tell(ours));
  }

  async #observe(proxy: ProxyName, made: Case, lane: number): Promise<Observation> {
    const origin = this.#batch.lanes[lane]!;
    const key = String(this.#asked++).padStart(8, '0');
    const script = new Script(made.answers);
    origin.scripts.set(key, script);
    const port = this.#batch.portOf(proxy, made.configuration);
    const outcome = await ask({ port, host: hostOf(made.configuration, lane), key, made, script });
    const hasNext = outcome.next.startsWith('HTTP/') || /^\d/.test(outcome.next);
    const lines = await this.#lines[proxy].take(outcome.localPort, hasNext ? 2 : 1);
    await script.settled();
    origin.scripts.delete(key);
    return { outcome, seen: script.seen, lines };
  }
}

function kindOf(line: string): string {
  return line
    .replaceAll(/\d+/g, '0')
    .replaceAll(/"[A-Z]+ \S+ HTTP/g, 'HTTP')
    .replaceAll(/"c0\.\S+/gi, '');
}
