import type { CaptureReport } from '@aquifer/control-plane-client';
import type { Logger } from '@aquifer/runtime';
import { NetworkNamespace } from '../capture/netns.ts';
import { observeRedirection } from '../capture/redirection.ts';
import type { Sandbox } from '../nri/nri-plugin.ts';
import type { GatedCaptures } from '../nri/start-gate.ts';
import { AnnouncedSandboxes } from './announced-sandboxes.ts';
import { type CaptureAction, type ObservedNamespace, planCapture } from './capture-plan.ts';
import type { EnrolledPod } from './enrolled-pod.ts';
import { type ScannedNamespace, scanNode } from './node-scan.ts';
import { capturePod, type PodCaptureDeps, releaseOrphan, releasePod } from './pod-capture.ts';
import { ProbeRules } from './probe-rules.ts';
import { RetryTimes } from './retry-times.ts';
import { StepLimit } from './step-limit.ts';

export interface CaptureLoopOptions extends Omit<PodCaptureDeps, 'steps'> {
  readonly procPath: string;
  readonly log: Logger;
  readonly report: (report: CaptureReport) => void;
  /** Called when nothing of pods that are not among these is left on the node: at first, and after orphans were released. */
  readonly reportInventory: (uids: readonly string[]) => void;
  /** How long until the node is looked at again although nothing is known to have changed; default 30 s. */
  readonly lookEveryMs?: number;
}

/** A pod with listeners, and what became of its capture. */
interface Held {
  pod: EnrolledPod;
  readonly namespace: NetworkNamespace;
  readonly inode: number;
  generation: number | null;
}

/** What is being done in a namespace, one thing at a time. */
interface Running {
  readonly kind: NamespaceAction['kind'];
  readonly abort: AbortController;
}

type NamespaceAction = Exclude<CaptureAction, { kind: 'wait' }>;

const LOOK_EVERY_MS = 30_000;
/** Enough to keep a node's processors busy for the moment when all its pods are enrolled, and not for long. */
const STEPS_AT_A_TIME = 8;

/**
 * Keeps the node's pods captured as the control plane wants them, whatever else happens on the node:
 * ```
 * look (namespaces, their rules) ─► planCapture ─► one action per namespace ─► look again …
 * ```
 * It looks when the wish changes, when an action has ended, when a failed one is due again, and every 30 s.
 */
export class CaptureLoop implements GatedCaptures {
  readonly #options: CaptureLoopOptions;
  readonly #deps: PodCaptureDeps;
  readonly #probes: ProbeRules;
  readonly #sandboxes = new AnnouncedSandboxes();
  readonly #held = new Map<string, Held>();
  readonly #running = new Map<number, Running>();
  readonly #retries = new RetryTimes();
  /** The last word on each pod. */
  readonly #reported = new Map<string, string>();
  #desired: ReadonlyMap<string, EnrolledPod> | null = null;
  /** Orphans may be left, or were: what the control plane thinks of the node may be outdated. */
  #isInventoryDue = true;
  #wakeUp = Promise.withResolvers<void>();
  #changed = Promise.withResolvers<void>();
  #isStopped = false;

  constructor(options: CaptureLoopOptions) {
    this.#options = options;
    this.#deps = { ...options, steps: new StepLimit(STEPS_AT_A_TIME) };
    this.#probes = new ProbeRules(options);
  }

  /** The complete list of pods to capture, which from the first call on is what counts. */
  want(desired: ReadonlyMap<string, EnrolledPod>): void {
    const before = this.#desired;
    this.#desired = desired;
    for (const [uid, pod] of desired) if (before?.get(uid) !== pod) this.#retries.forget(uid);
    for (const uid of this.#reported.keys()) {
      if (!desired.has(uid) && !this.#held.has(uid)) this.#reported.delete(uid);
    }
    if (before === null) void this.#run();
    this.#wakeUp.resolve();
    this.#announceChange();
  }

  sandboxStarted(sandbox: Sandbox): void {
    this.#sandboxes.add(sandbox);
    if (this.isCaptured(sandbox.uid) === false) this.#wakeUp.resolve();
  }

  sandboxRemoved(sandbox: Sandbox): void {
    this.#sandboxes.remove(sandbox);
  }

  isCaptured(uid: string): boolean | null {
    // Before the mesh is known, nobody can say: the control plane itself may be among those that start.
    if (this.#desired?.has(uid) !== true) return null;
    return (this.#held.get(uid)?.generation ?? null) !== null;
  }

  changed(): Promise<void> {
    return this.#changed.promise;
  }

  #announceChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Does nothing more, and leaves all pods as they are to the process that takes over. */
  stop(): void {
    this.#isStopped = true;
    this.#wakeUp.resolve();
    for (const { abort } of this.#running.values()) abort.abort();
  }

  /** Pods that are wanted, and those that are leaving; and whether they are captured. */
  captures(): ReadonlyMap<string, { readonly pod: EnrolledPod; readonly isCaptured: boolean }> {
    const pods = [...(this.#desired?.values() ?? []), ...this.#heldPods()];
    return new Map(
      pods.map((pod) => {
        const isCaptured = (this.#held.get(pod.uid)?.generation ?? null) !== null;
        return [pod.uid, { pod, isCaptured }];
      }),
    );
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#wakeUp = Promise.withResolvers();
      try {
        await this.#look();
      } catch (error) {
        this.#options.log.error('the node cannot be looked at', { error: String(error) });
      }
      const { lookEveryMs = LOOK_EVERY_MS } = this.#options;
      const waitMs = Math.min(lookEveryMs, this.#retries.nextInMs());
      const timer = setTimeout(this.#wakeUp.resolve, waitMs).unref();
      await this.#wakeUp.promise;
      clearTimeout(timer);
    }
  }

  async #look(): Promise<void> {
    const known = this.#desired!;
    const processes = await scanNode(this.#options.procPath);
    if (this.#isStopped) return;
    // Pods that are leaving need it until plaintext to them is let through.
    const probed = [...known.values(), ...this.#heldPods()].map((pod) => this.#located(pod));
    if (await this.#probes.update(probed)) {
      this.#retries.forget(NODE_KEY);
    } else {
      this.#retries.failed(NODE_KEY);
    }
    if (this.#isStopped) return;
    // From here on nothing waits: the wish, the rules, and what is done about them, are of one moment.
    const desired = this.#desired!;
    const scanned = this.#sandboxes.addTo(processes);
    const observed = this.#observe(scanned);
    const held = [...this.#held.values()];
    const actions = planCapture(desired, observed, held).filter(
      (action) => !isAhead(action, known),
    );
    this.#retries.keepOnly([NODE_KEY, ...actions.map(retryKey)]);
    const paths = new Map(scanned.map(({ inode, path }) => [inode, path]));
    for (const action of actions) this.#take(action, paths);
    this.#takeInventory(actions);
  }

  /** The runtime knows a pod's addresses before the control plane does. */
  #located(pod: EnrolledPod): EnrolledPod {
    if (pod.addresses.length > 0) return pod;
    return { ...pod, addresses: this.#sandboxes.addressesOf(pod.uid) };
  }

  #takeInventory(actions: readonly CaptureAction[]): void {
    if (actions.some(({ kind }) => kind === 'release-orphan')) this.#isInventoryDue = true;
    else if (this.#isInventoryDue) {
      this.#isInventoryDue = false;
      this.#options.reportInventory([...this.captures().keys()]);
    }
  }

  #heldPods(): EnrolledPod[] {
    return [...this.#held.values()].map(({ pod }) => pod);
  }

  /** Namespaces that this process holds are seen even if nothing runs in them; the node's own is none of the pods'. */
  #observe(scanned: readonly ScannedNamespace[]): ObservedNamespace[] {
    const { node, log } = this.#options;
    const held = new Map([...this.#held.values()].map((each) => [each.inode, each.namespace]));
    const found = scanned.filter(({ inode }) => inode !== this.#probes.nodeInode);
    const inodes = new Set(found.map(({ inode }) => inode));
    const empty = [...held.keys()].filter((inode) => !inodes.has(inode));
    const all = [...found, ...empty.map((inode) => ({ ...NOTHING_RUNS, inode }))];
    return all.flatMap((each) => {
      const namespace = held.get(each.inode) ?? openScanned(each);
      if (namespace === null) return [];
      try {
        return [{ ...each, ...observeRedirection(namespace, node) }];
      } catch (error) {
        log.warn('a network namespace cannot be looked at', {
          inode: each.inode,
          error: String(error),
        });
        return [];
      } finally {
        if (!held.has(each.inode)) namespace.close();
      }
    });
  }

  #take(action: CaptureAction, paths: ReadonlyMap<number, string>): void {
    const key = retryKey(action);
    if (action.kind === 'wait') {
      if (this.#retries.begin(key)) this.#failed(action, new Error(action.reason));
      return;
    }
    const running = this.#running.get(action.inode);
    if (running !== undefined) {
      const isLeaving = running.kind === 'release' || running.kind === 'release-orphan';
      if (isLeaving && this.#isWantedBack(action)) running.abort.abort();
      return;
    }
    if (!this.#retries.begin(key)) return;
    const abort = new AbortController();
    this.#running.set(action.inode, { kind: action.kind, abort });
    void this.#carryOut(action, paths.get(action.inode) ?? '', abort.signal).then(() => {
      this.#running.delete(action.inode);
      this.#wakeUp.resolve();
    });
  }

  /** Before it was gone, or in another namespace. */
  #isWantedBack(action: NamespaceAction): boolean {
    if (action.kind === 'release-orphan') return false;
    return action.kind !== 'release' && this.#desired!.has(action.pod.uid);
  }

  /** Never rejects: what fails is tried again later. */
  async #carryOut(action: NamespaceAction, path: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#start(action, path, signal);
      this.#retries.forget(retryKey(action));
    } catch (error) {
      if (signal.aborted) this.#retries.forget(retryKey(action));
      else this.#failed(action, error as Error);
    }
  }

  #start(action: NamespaceAction, path: string, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'capture':
        return this.#capture(action, path, signal);
      case 'release':
        return this.#release(action.pod, signal);
      case 'abandon':
        return this.#abandon(action.pod);
      case 'release-orphan':
        return this.#releaseOrphan(action.inode, path, signal);
    }
  }

  async #capture(
    { pod, inode }: { readonly pod: EnrolledPod; readonly inode: number },
    path: string,
    signal: AbortSignal,
  ): Promise<void> {
    const held = this.#held.get(pod.uid) ?? this.#hold(pod, inode, path);
    held.generation = null;
    await capturePod(pod, held.namespace, { ...this.#deps, signal });
    held.pod = pod;
    held.generation = observeRedirection(held.namespace, this.#options.node).generation;
    this.#announceChange();
    if (this.#report(pod, 'captured', '')) this.#options.log.info('pod captured', nameOf(pod));
  }

  #hold(pod: EnrolledPod, inode: number, path: string): Held {
    const namespace = openScanned({ inode, path });
    if (namespace === null) throw new Error('the pod has just ended');
    const held = { pod, namespace, inode, generation: null };
    this.#held.set(pod.uid, held);
    return held;
  }

  async #release({ uid }: EnrolledPod, signal: AbortSignal): Promise<void> {
    const held = this.#held.get(uid)!;
    await releasePod(held.pod, held.namespace, {
      ...this.#deps,
      signal,
      onReleased: () => {
        held.generation = null;
        this.#report(held.pod, 'released', '');
      },
    });
    this.#drop(uid, held);
  }

  async #abandon({ uid }: EnrolledPod): Promise<void> {
    const held = this.#held.get(uid)!;
    await this.#options.dataPlane.stopPod(uid);
    if (!this.#desired!.has(uid)) this.#report(held.pod, 'released', '');
    this.#drop(uid, held);
  }

  async #releaseOrphan(inode: number, path: string, signal: AbortSignal): Promise<void> {
    const namespace = openScanned({ inode, path });
    if (namespace === null) return;
    this.#options.log.info('releasing a pod that left the mesh while no proxy was here', { inode });
    try {
      await releaseOrphan(namespace, { ...this.#deps, signal });
    } finally {
      namespace.close();
    }
  }

  #drop(uid: string, { namespace }: Held): void {
    this.#held.delete(uid);
    this.#reported.delete(uid);
    namespace.close();
  }

  #failed(action: CaptureAction, error: Error): void {
    this.#retries.failed(retryKey(action));
    const isCapture = action.kind === 'capture' || action.kind === 'wait';
    if (isCapture && !this.#report(action.pod, 'pending', error.message)) return;
    const about = action.kind === 'release-orphan' ? { inode: action.inode } : nameOf(action.pod);
    const what = isCapture ? 'pod is not captured yet' : 'pod is not released yet';
    this.#options.log.warn(what, { ...about, error: error.message });
  }

  /** False for what was the last word on the pod before. */
  #report(pod: EnrolledPod, state: CaptureReport['state'], reason: string): boolean {
    const { uid, namespace, name } = pod;
    const word = `${state} ${reason}`;
    if (this.#reported.get(uid) === word) return false;
    this.#reported.set(uid, word);
    this.#options.report({ uid, namespace, name, state, reason });
    return true;
  }
}

/** Of the rules for probes, among the keys of actions. */
const NODE_KEY = 'node';
const NOTHING_RUNS = { path: '', pods: [], addresses: new Set<string>() };

/** Null if the process is gone that it was found by, or is in another namespace now. */
function openScanned({
  inode,
  path,
}: Pick<ScannedNamespace, 'inode' | 'path'>): NetworkNamespace | null {
  try {
    const namespace = NetworkNamespace.open(path);
    if (namespace.inode === inode) return namespace;
    namespace.close();
    return null;
  } catch {
    return null;
  }
}

/** Pods that came during the look may have started after the scan, and their probes are not let through yet. */
function isAhead(action: CaptureAction, known: ReadonlyMap<string, EnrolledPod>): boolean {
  const isNew = action.kind === 'capture' || action.kind === 'wait';
  return isNew && !known.has(action.pod.uid);
}

function retryKey(action: CaptureAction): string {
  return action.kind === 'release-orphan' ? `namespace ${action.inode}` : action.pod.uid;
}

function nameOf({ namespace, name }: EnrolledPod): { readonly wl: string } {
  return { wl: `${namespace}/${name}` };
}
