import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Backoff } from '@aquifer/control-plane-client';
import type { Logger } from '@aquifer/runtime';
import {
  ConfigureRequestSchema,
  ConfigureResponseSchema,
  CreateContainerRequestSchema,
  Event,
  type PodSandbox,
  RegisterPluginRequestSchema,
  StateChangeEventSchema,
  SynchronizeRequestSchema,
  SynchronizeResponseSchema,
} from '@aquifer/wire/gen/containerd/nri_pb';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { CHANNEL, Mux } from './mux.ts';
import { callTtrpc, serveTtrpc, type TtrpcHandlers } from './ttrpc.ts';

const PLUGIN = 'nri.pkg.api.v1alpha1.Plugin';
const RUNTIME = 'nri.pkg.api.v1alpha1.Runtime';
const NOTHING = new Uint8Array();
/** Late, so that other plugins have done what a pod's network needs. */
const INDEX = '90';
const BACKOFF = { initialMs: 500, maxMs: 15_000 };
/** What the runtime gives a plugin, if it does not say (containerd's default). */
const DEFAULT_LIMIT_MS = 2000;
/** To answer before the runtime gives up: then it would cut this plugin off. */
const MARGIN_MS = 300;

/** For the runtime to take this plugin (as long as containerd gives a plugin to register). */
const REGISTRATION_LIMIT_MS = 5000;

const EVENTS = [Event.RUN_POD_SANDBOX, Event.REMOVE_POD_SANDBOX, Event.CREATE_CONTAINER];

/** A pod's sandbox: its network stands, and none of its containers has run. */
export interface Sandbox {
  /** Of the sandbox. */
  readonly id: string;
  /** Of the pod. A pod whose sandbox is made anew keeps it. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** File of its network namespace; null for a pod of the node's own network. */
  readonly networkPath: string | null;
  readonly addresses: readonly string[];
}

/** What is done about sandboxes. */
export interface SandboxListener {
  /** All that there are, when the runtime is found or comes back. */
  known(sandboxes: readonly Sandbox[]): void;
  /** A sandbox was made. The runtime waits for the answer, and no longer than the limit. */
  started(sandbox: Sandbox, limitMs: number): Promise<void>;
  /** A container is about to be made. If it throws, the runtime does not make it, and Kubernetes tries again. */
  containerWanted(sandbox: Sandbox, limitMs: number): Promise<void>;
  removed(sandbox: Sandbox): void;
}

export interface NriPluginOptions {
  /** The runtime's socket, such as `/var/run/nri/nri.sock`. */
  readonly path: string;
  readonly listener: SandboxListener;
  readonly log: Logger;
}

/**
 * This proxy as a plugin of the container runtime (Node Resource Interface: containerd from 1.7, CRI-O from 1.26): it
 * hears of a pod before the pod's containers run, and may hold them back.
 */
export class NriPlugin {
  readonly #options: NriPluginOptions;
  readonly #abort = new AbortController();
  readonly #backoff = new Backoff(BACKOFF);
  #socket: Socket | null = null;
  #said = '';
  #limitMs = DEFAULT_LIMIT_MS - MARGIN_MS;
  #synchronized: Sandbox[] = [];

  constructor(options: NriPluginOptions) {
    this.#options = options;
  }

  /** Runs until `stop`; never throws. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const reason = await this.#connectOnce();
      if (signal.aborted) return;
      this.#say(reason);
      await delay(this.#backoff.next(), undefined, { signal }).catch(() => undefined);
    }
  }

  stop(): void {
    this.#abort.abort();
    this.#socket?.destroy();
  }

  /** Once, until something changes: many runtimes do not offer it. */
  #say(reason: string): void {
    if (reason === this.#said) return;
    this.#said = reason;
    const { log, path } = this.#options;
    log.info('pods may start before they are captured: the container runtime does not ask', {
      socket: path,
      error: reason,
    });
  }

  /** Resolves, with the reason, when the connection has ended. */
  #connectOnce(): Promise<string> {
    const socket = connect(this.#options.path);
    this.#socket = socket;
    let reason = 'the runtime closed the connection';
    socket.on('error', (error) => {
      reason = error.message;
    });
    const mux = new Mux(socket, (error) => socket.destroy(error));
    serveTtrpc(mux, CHANNEL.plugin, this.#handlers());
    const patience = setTimeout(() => {
      socket.destroy(
        new Error(`the runtime did not answer within ${REGISTRATION_LIMIT_MS / 1000} s`),
      );
    }, REGISTRATION_LIMIT_MS);
    socket.once('connect', () => {
      this.#register(mux)
        .catch((error: Error) => socket.destroy(error))
        .finally(() => clearTimeout(patience));
    });
    return new Promise((resolve) => {
      socket.once('close', () => {
        clearTimeout(patience);
        resolve(reason);
      });
    });
  }

  async #register(mux: Mux): Promise<void> {
    const request = create(RegisterPluginRequestSchema, {
      pluginName: 'aquifer-ztunnel',
      pluginIdx: INDEX,
    });
    await callTtrpc(mux, CHANNEL.runtime, {
      service: RUNTIME,
      method: 'RegisterPlugin',
      payload: toBinary(RegisterPluginRequestSchema, request),
    });
  }

  #handlers(): TtrpcHandlers {
    return {
      [`${PLUGIN}/Configure`]: (bytes) => this.#configure(bytes),
      [`${PLUGIN}/Synchronize`]: (bytes) => this.#synchronize(bytes),
      [`${PLUGIN}/CreateContainer`]: async (bytes) => {
        const { pod } = fromBinary(CreateContainerRequestSchema, bytes);
        const { listener } = this.#options;
        if (pod !== undefined) await listener.containerWanted(sandboxOf(pod), this.#limitMs);
        return NOTHING;
      },
      [`${PLUGIN}/StateChange`]: async (bytes) => {
        await this.#stateChange(bytes);
        return NOTHING;
      },
      [`${PLUGIN}/Shutdown`]: () => NOTHING,
    };
  }

  #configure(bytes: Uint8Array): Uint8Array {
    const { runtimeName, runtimeVersion, requestTimeout } = fromBinary(
      ConfigureRequestSchema,
      bytes,
    );
    const limitMs = requestTimeout > 0n ? Number(requestTimeout) : DEFAULT_LIMIT_MS;
    this.#limitMs = Math.max(limitMs / 2, limitMs - MARGIN_MS);
    this.#synchronized = [];
    this.#backoff.reset();
    this.#said = '';
    this.#options.log.info('pods are held back until they are captured', {
      runtime: `${runtimeName} ${runtimeVersion}`,
      limit: `${this.#limitMs}ms`,
    });
    const events = EVENTS.reduce((mask, event) => mask | (1 << (event - 1)), 0);
    return toBinary(ConfigureResponseSchema, create(ConfigureResponseSchema, { events }));
  }

  /** All sandboxes there are, in one or more parts. */
  #synchronize(bytes: Uint8Array): Uint8Array {
    const { pods, more } = fromBinary(SynchronizeRequestSchema, bytes);
    this.#synchronized.push(...pods.map(sandboxOf));
    if (!more) this.#options.listener.known(this.#synchronized.splice(0));
    return toBinary(SynchronizeResponseSchema, create(SynchronizeResponseSchema, { more }));
  }

  async #stateChange(bytes: Uint8Array): Promise<void> {
    const { event, pod } = fromBinary(StateChangeEventSchema, bytes);
    if (pod === undefined) return;
    const { listener } = this.#options;
    if (event === Event.RUN_POD_SANDBOX) await listener.started(sandboxOf(pod), this.#limitMs);
    if (event === Event.REMOVE_POD_SANDBOX) listener.removed(sandboxOf(pod));
  }
}

function sandboxOf({ id, uid, namespace, name, linux, ips }: PodSandbox): Sandbox {
  const network = linux?.namespaces.find(({ type }) => type === 'network');
  const path = network?.path ?? '';
  return { id, uid, namespace, name, networkPath: path === '' ? null : path, addresses: ips };
}
