import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '@aquifer/model/resources';
import { execToEnd } from './container-exec.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerProcess } from './container-process.ts';
import {
  containerLimits,
  type SetupContext,
  type SetupFailure,
  setUpContainer,
} from './container-setup.ts';
import type {
  ContainerRole,
  ContainerState,
  ContainerTermination,
  ContainerView,
} from './container-state.ts';
import { runProbes } from './prober.ts';
import { attemptProbe, type ProbeTarget } from './probes.ts';

/** First wait before a crashed container starts again, doubled each time up to the last; a long run resets it. */
const FIRST_BACK_OFF_MS = 1_000;
const LAST_BACK_OFF_MS = 60_000;
const BACK_OFF_RESET_MS = 600_000;
/** How often a container that cannot be set up (image, ConfigMap) is tried again. */
const SETUP_RETRY_MS = 2_000;
const HOOK_TIMEOUT_MS = 30_000;

/** Where a pod's specification has the containers of each role. */
const LISTS: Readonly<Record<ContainerRole, string>> = {
  init: 'initContainers',
  sidecar: 'initContainers',
  main: 'containers',
  ephemeral: 'ephemeralContainers',
};

type Hook = NonNullable<NonNullable<Container['lifecycle']>['preStop']>;

interface Running {
  readonly containerId: string;
  readonly process: ContainerProcess;
  readonly log: ContainerLog;
}

export interface RunnerContext extends Omit<SetupContext, 'pod'> {
  /** The pod as the API last had it. */
  readonly pod: () => NodePodNow;
  /** Called after every change of `view()`. */
  readonly onChange: () => void;
}
type NodePodNow = SetupContext['pod'];

/**
 * One container of a pod, over all its restarts:
 *
 *   set up ─► running ─► terminated ─► (back-off ─► set up …)   until the policy or the end of the pod says stop
 */
export class ContainerRunner {
  readonly spec: Container;
  readonly role: ContainerRole;
  readonly #context: RunnerContext;
  #state: ContainerState = { kind: 'waiting', reason: 'PodInitializing' };
  #lastTermination: ContainerTermination | null = null;
  #restartCount = 0;
  #isReady = false;
  #isStarted = false;
  #running: Running | null = null;
  #log: ContainerLog | null = null;
  #previousLog: ContainerLog | null = null;
  #backOffMs = 0;
  #stopping: Promise<void> | null = null;

  constructor(spec: Container, role: ContainerRole, context: RunnerContext) {
    this.spec = spec;
    this.role = role;
    this.#context = context;
    const isFirst = role !== 'main' || (context.pod().spec.initContainers?.length ?? 0) === 0;
    if (isFirst) this.#state = { kind: 'waiting', reason: 'ContainerCreating' };
  }

  view(): ContainerView {
    return {
      spec: this.spec,
      role: this.role,
      state: this.#state,
      lastTermination: this.#lastTermination,
      restartCount: this.#restartCount,
      isReady: this.#isReady,
      isStarted: this.#isStarted,
    };
  }

  /** The running process, for `exec`; null while there is none. */
  get process(): ContainerProcess | null {
    return this.#running?.process ?? null;
  }

  /** The log of the current or, with `previous`, of the run before; null if there was none. */
  log(previous: boolean): ContainerLog | null {
    return previous ? this.#previousLog : this.#log;
  }

  /** Runs and restarts the container. Resolves with its last exit, or null when aborted before one. Never rejects. */
  async run(signal: AbortSignal): Promise<ContainerTermination | null> {
    for (;;) {
      const running = await this.#startUntilRunning(signal);
      if (running === null) return null;
      const termination = await this.#runToEnd(running);
      if (signal.aborted || !this.#restarts(termination)) return termination;
      if (!(await this.#backOff(termination, signal))) return termination;
      this.#restartCount++;
    }
  }

  /** preStop, SIGTERM and, `graceMs` after the call, SIGKILL. Resolves when nothing of the container runs. */
  async stop(graceMs: number): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#event('Normal', 'Killing', `Stopping container ${this.spec.name}`);
    await this.#end(running, graceMs);
  }

  async #startUntilRunning(signal: AbortSignal): Promise<Running | null> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      const outcome = await this.#start().catch(
        (error: unknown): SetupFailure => ({
          reason: 'CreateContainerConfigError',
          message: (error as Error).message,
        }),
      );
      if (!('reason' in outcome)) {
        // The pod was ended while its container was being made.
        if (signal.aborted) void this.#end(outcome, this.#graceMs());
        return outcome;
      }
      this.#reportFailure(outcome, attempt);
      if (!(await pause(SETUP_RETRY_MS, signal))) return null;
    }
    return null;
  }

  async #start(): Promise<Running | SetupFailure> {
    const { sandbox } = this.#context;
    const setup = await setUpContainer(this.spec, { ...this.#context, pod: this.#context.pod() });
    if (!setup.ok) return setup.error;
    const image = this.spec.image ?? '';
    this.#event('Normal', 'Pulled', `Container image "${image}" already present on machine`);
    mkdirSync(setup.value.scratchDirectory, { recursive: true });
    const containerId = randomBytes(32).toString('hex');
    const joinFiles = await sandbox.containerGroup(containerId, containerLimits(this.spec));
    this.#previousLog = this.#log;
    const logPath = join(
      sandbox.directory,
      'containers',
      `${this.spec.name}.${this.#restartCount}`,
    );
    const log = new ContainerLog(`${logPath}.log`);
    this.#log = log;
    this.#event('Normal', 'Created', `Created container: ${this.spec.name}`);
    const process = await ContainerProcess.start({ ...setup.value, joinFiles }, log);
    this.#event('Normal', 'Started', `Started container ${this.spec.name}`);
    this.#running = { containerId, process, log };
    const { startedAt } = process;
    this.#change({ kind: 'running', startedAt, containerId });
    return this.#running;
  }

  async #runToEnd(running: Running): Promise<ContainerTermination> {
    const { process, containerId, log } = running;
    const probing = new AbortController();
    void this.#watchHealth(running, probing.signal);
    const exit = await process.exited;
    probing.abort();
    const ranOutOfMemory = await this.#context.sandbox.hasRunOutOfMemory(containerId);
    await this.#context.sandbox.removeContainerGroup(containerId);
    log.close();
    this.#running = null;
    this.#isReady = false;
    this.#isStarted = false;
    const termination: ContainerTermination = {
      kind: 'terminated',
      ...exit,
      reason: ranOutOfMemory ? 'OOMKilled' : exit.exitCode === 0 ? 'Completed' : 'Error',
      startedAt: process.startedAt,
      containerId,
    };
    if (this.role === 'init' && termination.exitCode === 0) this.#isReady = true;
    this.#change(termination);
    return termination;
  }

  async #watchHealth(running: Running, signal: AbortSignal): Promise<void> {
    const postStart = this.spec.lifecycle?.postStart;
    if (postStart !== undefined) {
      const failure = await this.#hook(postStart, running);
      if (failure !== null) {
        this.#event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`);
        return this.#end(running, this.#graceMs());
      }
    }
    if (this.role === 'init' || this.role === 'ephemeral') return;
    const events = {
      started: () => {
        this.#isStarted = true;
        this.#context.onChange();
      },
      ready: (isReady: boolean) => {
        if (this.#isReady === isReady) return;
        this.#isReady = isReady;
        this.#context.onChange();
      },
      failed: (kind: string, reason: string) =>
        this.#event('Warning', 'Unhealthy', `${kind} probe failed: ${reason}`),
      unhealthy: (message: string) => {
        this.#event('Normal', 'Killing', message);
        void this.#end(running, this.#graceMs());
      },
    };
    await runProbes(this.#probeTarget(running), events, signal);
  }

  #end(running: Running, graceMs: number): Promise<void> {
    this.#stopping ??= this.#endOnce(running, graceMs).finally(() => {
      this.#stopping = null;
    });
    return this.#stopping;
  }

  async #endOnce(running: Running, graceMs: number): Promise<void> {
    const { process, containerId } = running;
    const deadlineMs = Date.now() + graceMs;
    const preStop = this.spec.lifecycle?.preStop;
    if (preStop !== undefined && graceMs > 0) {
      const expired = sleep(graceMs, null, { ref: false });
      await Promise.race([this.#hook(preStop, running), process.exited, expired]);
    }
    if (graceMs > 0) process.signal('SIGTERM');
    const exited = process.exited.then(() => true);
    const remainingMs = Math.max(0, deadlineMs - Date.now());
    const isOver = await Promise.race([exited, sleep(remainingMs, false, { ref: false })]);
    if (!isOver) await this.#context.sandbox.removeContainerGroup(containerId);
    await process.exited;
  }

  async #hook(hook: Hook, running: Running): Promise<string | null> {
    if (hook.sleep !== undefined) {
      await sleep(hook.sleep.seconds * 1000, null, { ref: false });
      return null;
    }
    return attemptProbe(hook, this.#probeTarget(running), HOOK_TIMEOUT_MS);
  }

  #probeTarget({ process }: Running): ProbeTarget {
    return {
      address: this.#context.sandbox.address,
      container: this.spec,
      exec: (command, timeoutMs) => execToEnd(process, command, timeoutMs),
      network: (probe) => this.#context.host.prober.attempt(probe),
    };
  }

  #restarts(termination: ContainerTermination): boolean {
    const policy = this.#context.pod().spec.restartPolicy ?? 'Always';
    const isFailure = termination.exitCode !== 0;
    switch (this.role) {
      case 'sidecar':
        return true;
      case 'init':
        return isFailure && policy !== 'Never';
      case 'ephemeral':
        return false;
      case 'main':
        return policy === 'Always' || (isFailure && policy === 'OnFailure');
    }
  }

  async #backOff(termination: ContainerTermination, signal: AbortSignal): Promise<boolean> {
    const ranMs = termination.finishedAt.getTime() - termination.startedAt.getTime();
    if (ranMs > BACK_OFF_RESET_MS) this.#backOffMs = 0;
    const waitMs = this.#backOffMs;
    this.#backOffMs = Math.min(LAST_BACK_OFF_MS, Math.max(FIRST_BACK_OFF_MS, waitMs * 2));
    this.#lastTermination = termination;
    if (waitMs === 0) return !signal.aborted;
    const { name, namespace, uid } = this.#context.pod().metadata;
    const pod = `${name}_${namespace}(${uid})`;
    this.#event(
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${this.spec.name} in pod ${pod}`,
    );
    this.#change({
      kind: 'waiting',
      reason: 'CrashLoopBackOff',
      message: `back-off ${waitMs / 1000}s restarting failed container=${this.spec.name} pod=${pod}`,
    });
    return pause(waitMs, signal);
  }

  #reportFailure({ reason, message }: SetupFailure, attempt: number): void {
    const image = this.spec.image ?? '';
    if (reason !== 'ErrImagePull') {
      this.#event('Warning', 'Failed', `Error: ${message}`);
      this.#change({ kind: 'waiting', reason, message });
    } else if (attempt === 0) {
      this.#event('Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
      this.#event('Warning', 'Failed', 'Error: ErrImagePull');
      this.#change({ kind: 'waiting', reason, message });
    } else {
      const backOff = `Back-off pulling image "${image}"`;
      if (attempt === 1) this.#event('Normal', 'BackOff', backOff);
      this.#change({
        kind: 'waiting',
        reason: 'ImagePullBackOff',
        message: `${backOff}: ErrImagePull: ${message}`,
      });
    }
  }

  #graceMs(): number {
    return (this.#context.pod().spec.terminationGracePeriodSeconds ?? 30) * 1000;
  }

  #change(state: ContainerState): void {
    this.#state = state;
    this.#context.onChange();
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const field = `spec.${LISTS[this.role]}{${this.spec.name}}`;
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: subject(this.#context.pod()) };
    const { events } = this.#context.host;
    if (type === 'Normal') events.normal(pod, reason, message, field);
    else events.warning(pod, reason, message, field);
  }
}

function subject({ metadata }: NodePodNow): { name: string; namespace: string; uid: string } {
  return { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid };
}

/** False when the wait was cut short. */
async function pause(durationMs: number, signal: AbortSignal): Promise<boolean> {
  return sleep(durationMs, true, { signal }).catch(() => false);
}
