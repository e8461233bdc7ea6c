/** What pods and nodes use, as `metrics.k8s.io` tells it: measured again and again, told from memory. */

import type { ApiObject, MetricsSource } from '@aquifer/kube-api';
import { timestampOf } from '@aquifer/model/kubernetes';
import type { GroupUsage } from './cgroups.ts';
import type { NodePod } from './node-pod.ts';

const INTERVAL_MS = 5_000;

/** A running container, with the reading of its control group. */
export interface ContainerReading {
  readonly name: string;
  readonly containerId: string;
  readonly startedAtMs: number;
  readonly usage: GroupUsage;
}

export interface PodReading {
  readonly pod: NodePod;
  readonly containers: readonly ContainerReading[];
}

/** A node that can tell what its pods have used. */
export interface MeasuredNode {
  readonly name: string;
  readPods(): Promise<readonly PodReading[]>;
}

/** Per second of the window, and at its end. */
interface Usage {
  readonly processors: number;
  readonly memoryBytes: number;
}

interface PodUsage {
  readonly pod: NodePod;
  readonly atMs: number;
  readonly windowMs: number;
  readonly containers: readonly (Usage & { readonly name: string })[];
}

interface Sample {
  readonly atMs: number;
  readonly processorSeconds: number;
}

/** Measures every five seconds, from the first call of `start` to `stop`. */
export class UsageMeter implements MetricsSource {
  readonly #onError: (error: Error) => void;
  #nodes: readonly MeasuredNode[] = [];
  /** By container id: the reading before. */
  #samples = new Map<string, Sample>();
  #usage = new Map<string, readonly PodUsage[]>();
  #timer: NodeJS.Timeout | null = null;

  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  start(nodes: readonly MeasuredNode[]): void {
    this.#nodes = nodes;
    this.#timer = setInterval(() => void this.#measure().catch(this.#onError), INTERVAL_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  pods(): readonly ApiObject[] {
    return [...this.#usage.values()].flat().map(({ pod, atMs, windowMs, containers }) => ({
      kind: 'PodMetrics',
      ...told(atMs, windowMs),
      metadata: {
        name: pod.metadata.name,
        namespace: pod.metadata.namespace,
        creationTimestamp: seconds(atMs),
        ...(pod.metadata.labels === undefined ? {} : { labels: pod.metadata.labels }),
      },
      containers: containers.map(({ name, ...usage }) => ({ name, usage: quantities(usage) })),
    }));
  }

  /** A node uses what its pods use: the rest of the machine is not its own. */
  nodes(): readonly ApiObject[] {
    return [...this.#usage].map(([name, pods]) => {
      const all = pods.flatMap(({ containers }) => containers);
      const sum = (amount: (usage: Usage) => number): number =>
        all.reduce((total, usage) => total + amount(usage), 0);
      const atMs = Math.max(0, ...pods.map((pod) => pod.atMs)) || Date.now();
      return {
        kind: 'NodeMetrics',
        ...told(atMs, Math.max(0, ...pods.map(({ windowMs }) => windowMs))),
        metadata: { name, creationTimestamp: seconds(atMs) },
        usage: quantities({
          processors: sum(({ processors }) => processors),
          memoryBytes: sum(({ memoryBytes }) => memoryBytes),
        }),
      };
    });
  }

  async #measure(): Promise<void> {
    const usage = new Map<string, readonly PodUsage[]>();
    const samples = new Map<string, Sample>();
    for (const node of this.#nodes) {
      const readings = await node.readPods();
      const atMs = Date.now();
      usage.set(
        node.name,
        readings.map((reading) => this.#usageOf(reading, atMs, samples)),
      );
    }
    this.#usage = usage;
    this.#samples = samples;
  }

  #usageOf({ pod, containers }: PodReading, atMs: number, samples: Map<string, Sample>): PodUsage {
    let windowMs = INTERVAL_MS;
    const used = containers.map(({ name, containerId, startedAtMs, usage }) => {
      const before = this.#samples.get(containerId) ?? { atMs: startedAtMs, processorSeconds: 0 };
      samples.set(containerId, { atMs, processorSeconds: usage.processorSeconds });
      windowMs = Math.max(1, atMs - before.atMs);
      const processorSeconds = Math.max(0, usage.processorSeconds - before.processorSeconds);
      return {
        name,
        processors: processorSeconds / (windowMs / 1000),
        memoryBytes: usage.memoryBytes ?? 0,
      };
    });
    return { pod, atMs, windowMs, containers: used };
  }
}

function told(atMs: number, windowMs: number) {
  return {
    apiVersion: 'metrics.k8s.io/v1beta1',
    timestamp: seconds(atMs),
    window: `${(windowMs / 1000).toFixed(3)}s`,
  };
}

function quantities({ processors, memoryBytes }: Usage): { cpu: string; memory: string } {
  return {
    cpu: `${Math.round(processors * 1e9)}n`,
    memory: `${Math.round(memoryBytes / 1024)}Ki`,
  };
}

function seconds(atMs: number): string {
  return timestampOf(new Date(atMs));
}
