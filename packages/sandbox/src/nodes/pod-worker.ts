import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodStatus } from '@aquifer/model/resources';
import { ContainerRunner, type RunnerContext } from './container-runner.ts';
import type { ContainerTermination } from './container-state.ts';
import type { NodeHost } from './node-host.ts';
import { isSidecar, type NodePod } from './node-pod.ts';
import { PodSandbox, type PodSandboxDeps } from './pod-sandbox.ts';
import { podStatus } from './pod-status.ts';
import { PodVolumes, VolumeError } from './pod-volumes.ts';
import type { ReleaseSlot } from './start-slots.ts';
import type { ContainerReading, PodReading } from './usage-meter.ts';

/** How often a pod whose namespace or volumes cannot be made is tried again. */
const RETRY_MS = 1_000;
/** How often mounted ConfigMaps, Secrets and tokens are looked after. */
const REFRESH_MS = 10_000;

export interface PodWorkerDeps {
  readonly host: NodeHost;
  readonly sandboxes: PodSandboxDeps;
  /** `status()` has changed. */
  readonly onChange: (worker: PodWorker) => void;
}

/**
 * One pod on its node, from its namespace to its end:
 *
 *   sandbox ─► volumes ─► init containers, one by one ─► all containers ─► ended, or removed
 */
export class PodWorker {
  #pod: NodePod;
  readonly #deps: PodWorkerDeps;
  readonly #startTime: Date;
  readonly #abort = new AbortController();
  #sandbox: PodSandbox | null = null;
  #runners: readonly ContainerRunner[] = [];
  #runnerContext: RunnerContext | null = null;
  #isInitialized = false;
  /** Of `StartSlots`. */
  #releaseSlot: ReleaseSlot = () => undefined;
  #finalPhase: 'Succeeded' | 'Failed' | null = null;
  #life: Promise<void> = Promise.resolve();

  constructor(pod: NodePod, deps: PodWorkerDeps) {
    this.#pod = pod;
    this.#deps = deps;
    this.#startTime = new Date(pod.status?.startTime ?? Date.now());
  }

  get pod(): NodePod {
    return this.#pod;
  }

  get sandbox(): PodSandbox | null {
    return this.#sandbox;
  }

  /** The pod's container of that name; without one, its first. */
  runner(name: string | undefined): ContainerRunner | null {
    const wanted = name ?? this.#pod.spec.containers[0]?.name;
    return this.#runners.find(({ spec }) => spec.name === wanted) ?? null;
  }

  /** What its running containers have used until now. */
  async readUsage(): Promise<PodReading> {
    const readings = this.#runners.map(async (runner): Promise<ContainerReading | null> => {
      const { state, spec } = runner.view();
      if (state.kind !== 'running') return null;
      const { containerId, startedAt } = state;
      const usage = (await this.#sandbox?.containerUsage(containerId)) ?? null;
      const startedAtMs = startedAt.getTime();
      return usage === null ? null : { name: spec.name, containerId, startedAtMs, usage };
    });
    const containers = (await Promise.all(readings)).filter((reading) => reading !== null);
    return { pod: this.#pod, containers };
  }

  start(): void {
    this.#life = this.#live().catch((error: unknown) => {
      this.#warn('FailedCreatePodSandBox', (error as Error).message);
    });
  }

  /** Takes over what the API now says of the pod: labels, annotations, foreign conditions, ephemeral containers. */
  update(pod: NodePod): void {
    this.#pod = pod;
    if (this.#isInitialized) this.#runEphemeral();
  }

  /** Ends the pod: main containers first, then sidecars, last started first. Nothing of it is left afterwards. */
  async end(graceMs: number): Promise<void> {
    this.#abort.abort();
    const deadlineMs = Date.now() + graceMs;
    const remainingMs = (): number => Math.max(0, deadlineMs - Date.now());
    const ordinary = this.#runners.filter(({ role }) => role !== 'sidecar');
    await Promise.all(ordinary.map((runner) => runner.stop(remainingMs())));
    const sidecars = this.#runners.filter(({ role }) => role === 'sidecar').toReversed();
    for (const sidecar of sidecars) await sidecar.stop(remainingMs());
    await this.#life;
    await this.#sandbox?.remove();
  }

  async #live(): Promise<void> {
    this.#releaseSlot = await this.#deps.host.startSlots.take();
    try {
      await this.#liveInSlot();
    } finally {
      this.#releaseSlot();
    }
  }

  async #liveInSlot(): Promise<void> {
    const sandbox = await this.#createSandbox();
    if (sandbox === null) return;
    const volumes = new PodVolumes(
      join(sandbox.directory, 'volumes'),
      this.#deps.host.volumeSources,
    );
    await mkdir(join(sandbox.directory, 'containers'));
    this.#makeRunners(sandbox, volumes);
    this.#report();
    if (!(await this.#mountVolumes(volumes))) return;
    void this.#refreshVolumes(volumes);
    const sidecars = await this.#initialize();
    if (sidecars === null) return;
    this.#isInitialized = true;
    this.#runEphemeral();
    const main = this.#runners.filter(({ role }) => role === 'main');
    const ends = await Promise.all(main.map((runner) => runner.run(this.#abort.signal)));
    if (this.#abort.signal.aborted) return;
    await this.#finish(ends);
    await Promise.all(sidecars);
  }

  async #createSandbox(): Promise<PodSandbox | null> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        this.#sandbox = await PodSandbox.create(this.#pod, this.#deps.sandboxes);
        return this.#sandbox;
      } catch (error) {
        const message = (error as Error).message;
        this.#warn('FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
        await sleep(RETRY_MS, null, { signal }).catch(() => null);
      }
    }
    return null;
  }

  #makeRunners(sandbox: PodSandbox, volumes: PodVolumes): void {
    const context: RunnerContext = {
      host: this.#deps.host,
      // The address is known before the API has stored it.
      pod: () => withAddress(this.#pod, sandbox.address, this.#deps.host.node.address),
      sandbox,
      volumes,
      onChange: () => this.#report(),
    };
    this.#runnerContext = context;
    const { initContainers = [], containers } = this.#pod.spec;
    this.#runners = [
      ...initContainers.map(
        (spec) => new ContainerRunner(spec, isSidecar(spec) ? 'sidecar' : 'init', context),
      ),
      ...containers.map((spec) => new ContainerRunner(spec, 'main', context)),
    ];
  }

  /** Starts the ephemeral containers that have come since. */
  #runEphemeral(): void {
    const context = this.#runnerContext;
    if (context === null || this.#abort.signal.aborted) return;
    const known = new Set(this.#runners.map(({ spec }) => spec.name));
    const added = (this.#pod.spec.ephemeralContainers ?? [])
      .filter(({ name }) => !known.has(name))
      .map((spec) => new ContainerRunner(spec, 'ephemeral', context));
    this.#runners = [...this.#runners, ...added];
    for (const runner of added) void runner.run(this.#abort.signal);
  }

  async #mountVolumes(volumes: PodVolumes): Promise<boolean> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await volumes.write(this.#pod);
        return true;
      } catch (error) {
        this.#warn('FailedMount', `MountVolume.SetUp failed: ${(error as Error).message}`);
        await sleep(RETRY_MS, null, { signal }).catch(() => null);
      }
    }
    return false;
  }

  async #refreshVolumes(volumes: PodVolumes): Promise<void> {
    const { signal } = this.#abort;
    while (await sleep(REFRESH_MS, true, { signal, ref: false }).catch(() => false)) {
      await volumes.write(this.#pod).catch((error: unknown) => {
        // What was mounted stays as it is; the next round tries again.
        if (error instanceof VolumeError) this.#warn('FailedMount', error.message);
      });
    }
  }

  /** Runs init containers to their end and starts sidecars; returns the sidecars' runs, or null when the pod is over. */
  async #initialize(): Promise<Promise<unknown>[] | null> {
    const { signal } = this.#abort;
    const sidecars: Promise<unknown>[] = [];
    for (const runner of this.#runners) {
      if (runner.role !== 'init' && runner.role !== 'sidecar') continue;
      if (runner.role === 'sidecar') {
        sidecars.push(runner.run(signal));
        await this.#untilStarted(runner);
      } else {
        const termination = await runner.run(signal);
        if (termination !== null && termination.exitCode !== 0 && !signal.aborted) {
          await this.#finish([termination]);
          return null;
        }
      }
      if (signal.aborted) return null;
    }
    return sidecars;
  }

  async #untilStarted(runner: ContainerRunner): Promise<void> {
    while (!runner.view().isStarted && !this.#abort.signal.aborted) await sleep(20);
  }

  async #finish(ends: readonly (ContainerTermination | null)[]): Promise<void> {
    const graceMs = (this.#pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    const sidecars = this.#runners.filter(({ role }) => role === 'sidecar').toReversed();
    this.#abort.abort();
    for (const sidecar of sidecars) await sidecar.stop(graceMs);
    this.#finalPhase = ends.every((end) => end?.exitCode === 0) ? 'Succeeded' : 'Failed';
    this.#report();
    await this.#sandbox?.release();
  }

  /** What the pod does now; `stored` is the pod as the API has it, whose foreign conditions are kept. */
  status(stored: NodePod): PodStatus {
    return podStatus({
      pod: stored,
      hostAddress: this.#deps.host.node.address,
      podAddress: this.#sandbox?.address ?? null,
      startTime: this.#startTime,
      containers: this.#runners.map((runner) => runner.view()),
      isInitialized: this.#isInitialized,
      finalPhase: this.#finalPhase,
      now: new Date(),
    });
  }

  #report(): void {
    if (this.#runners.every((runner) => runner.role !== 'main' || runner.view().isReady)) {
      this.#releaseSlot();
    }
    this.#deps.onChange(this);
  }

  #warn(reason: string, message: string): void {
    const { name, namespace, uid } = this.#pod.metadata;
    const subject = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid } };
    this.#deps.host.events.warning(subject, reason, message);
  }
}

function withAddress(pod: NodePod, address: string, hostAddress: string): NodePod {
  const status: PodStatus = {
    ...pod.status,
    podIP: address,
    podIPs: [{ ip: address }],
    hostIP: hostAddress,
    hostIPs: [{ ip: hostAddress }],
  };
  return { ...pod, status };
}
