import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aquifer/runtime';
import { grpcMethods } from '@aquifer/wire';
import {
  AggregatedDiscoveryService,
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { create, type JsonObject } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, connectivityState, status } from '@grpc/grpc-js';
import { Backoff } from './backoff.ts';
import {
  type ControlPlaneEndpoint,
  callMetadata,
  channelCredentials,
  channelOptions,
} from './credentials.ts';
import { DemandedNames } from './demanded-names.ts';
import { type Subscription, SubscriptionState } from './subscription.ts';

/** Who is asking (spec ztunnel 5.2): `ztunnel~ip~pod.ns~ns.svc.cluster.local` and free-form metadata. */
export interface NodeDescription {
  readonly id: string;
  readonly metadata: JsonObject;
}

export interface DeltaStreamOptions {
  readonly endpoint: ControlPlaneEndpoint;
  readonly node: NodeDescription;
  /** In the order in which they are asked for. */
  readonly subscriptions: readonly Subscription[];
  readonly log: Logger;
  /** Called once, when every subscription that is not on demand has had an accepted response. */
  readonly onSynced: () => void;
  readonly onTermination?: (reason: TerminationReason) => void;
  readonly onMessage?: (typeUrl: string, bytes: number) => void;
  /** How long a connection may take to be ready; default 10 s. */
  readonly connectTimeoutMs?: number;
}

/** Why a stream ended, as counted by istio_xds_connection_terminations_total (spec ztunnel 5.5). */
export type TerminationReason = 'ConnectionError' | 'Error' | 'Reconnect' | 'Complete';

type Stream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

const METHOD = grpcMethods(AggregatedDiscoveryService).deltaAggregatedResources;
const RECONNECT_SOON_MS = 10;
/** An address that swallows packets, such as that of a pod that is gone, would otherwise hold a connect for minutes. */
const CONNECT_TIMEOUT_MS = 10_000;
const BACKOFF = { initialMs: 20, maxMs: 15_000 };

/**
 * Follows the control plane over one delta ADS stream, for ever: `connecting` opens it, `streaming` serves it, then
 * it waits and connects again. What was learned stays in force while the control plane is away.
 */
export class DeltaStream {
  readonly #options: DeltaStreamOptions;
  readonly #states: readonly SubscriptionState[];
  readonly #backoff = new Backoff(BACKOFF);
  readonly #abort = new AbortController();
  /** Names that are asked for at about the same time go in one message. */
  #refresh: NodeJS.Immediate | null = null;
  #stream: Stream | null = null;
  /** Responses are taken one after the other, however long one takes to apply. */
  #received: Promise<void> = Promise.resolve();
  #announced = false;

  constructor(options: DeltaStreamOptions) {
    this.#options = options;
    this.#states = options.subscriptions.map((subscription) => new SubscriptionState(subscription));
    for (const { names } of options.subscriptions) {
      if (names instanceof DemandedNames) names.onRequest = () => this.#refreshSoon();
    }
  }

  /** Runs until `stop`; never throws. */
  async run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const { reason, delayMs } = await this.#connectOnce();
      if (this.#abort.signal.aborted) return;
      this.#options.onTermination?.(reason);
      await delay(delayMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
  }

  stop(): void {
    this.#abort.abort();
    this.#stream?.cancel();
  }

  /** Sends what changed in the wanted names; call it when a change did not come from a response. */
  refreshNames(): void {
    for (const state of this.#states) {
      const changed = state.namesChanged();
      // The next stream begins with all names.
      if (changed === null || this.#stream === null) continue;
      this.#stream.write(
        create(DeltaDiscoveryRequestSchema, {
          typeUrl: state.subscription.typeUrl,
          resourceNamesSubscribe: changed.subscribe,
          resourceNamesUnsubscribe: changed.unsubscribe,
        }),
      );
    }
  }

  #refreshSoon(): void {
    if (this.#refresh !== null) return;
    this.#refresh = setImmediate(() => {
      this.#refresh = null;
      this.refreshNames();
    });
  }

  async #connectOnce(): Promise<{ reason: TerminationReason; delayMs: number }> {
    const { endpoint, log } = this.#options;
    let client: Client | null = null;
    try {
      client = new Client(endpoint.address, channelCredentials(endpoint), channelOptions(endpoint));
      const stream = client.makeBidiStreamRequest(
        METHOD.path,
        METHOD.requestSerialize,
        METHOD.responseDeserialize,
        callMetadata(endpoint),
      );
      return await this.#serve(client, stream);
    } catch (error) {
      log.warn('control plane is not reachable', {
        address: endpoint.address,
        error: (error as Error).message,
      });
      return { reason: 'ConnectionError', delayMs: this.#backoff.next() };
    } finally {
      this.#stream = null;
      client?.close();
      // The next stream says which versions are held.
      await this.#received;
    }
  }

  #serve(client: Client, stream: Stream): Promise<{ reason: TerminationReason; delayMs: number }> {
    this.#stream = stream;
    let heard = false;
    const timer = setTimeout(() => {
      if (client.getChannel().getConnectivityState(false) !== connectivityState.READY) {
        stream.cancel();
      }
    }, this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
    return new Promise((resolve) => {
      stream.on('data', (response: DeltaDiscoveryResponse) => {
        if (!heard)
          this.#options.log.info('stream established', { address: this.#options.endpoint.address });
        heard = true;
        stream.pause();
        this.#received = this.#received
          .then(() => this.#receive(stream, response))
          .then(() => void stream.resume());
      });
      // Every end has a status, also those that are no error.
      stream.on('error', () => undefined);
      stream.on('status', ({ code, details }) => {
        clearTimeout(timer);
        resolve(this.#afterEnd(code, details, heard));
      });
      for (const state of this.#states) this.#sendInitial(stream, state);
    });
  }

  #sendInitial(stream: Stream, state: SubscriptionState): void {
    const { subscribe, unsubscribe, initialVersions } = state.initialRequest();
    const { id, metadata } = this.#options.node;
    stream.write(
      create(DeltaDiscoveryRequestSchema, {
        node: { id, metadata },
        typeUrl: state.subscription.typeUrl,
        resourceNamesSubscribe: subscribe,
        resourceNamesUnsubscribe: unsubscribe,
        initialResourceVersions: initialVersions,
      }),
    );
  }

  async #receive(stream: Stream, response: DeltaDiscoveryResponse): Promise<void> {
    const { typeUrl, nonce } = response;
    const state = this.#states.find(({ subscription }) => subscription.typeUrl === typeUrl);
    if (state === undefined) {
      this.#options.log.warn('response of a type that was not asked for', { typeUrl });
      stream.write(create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce }));
      return;
    }
    const resources = [];
    const versions = new Map<string, string>();
    let bytes = 0;
    for (const { name, version, aliases, resource } of response.resources) {
      const body = resource?.value ?? new Uint8Array();
      bytes += body.length;
      resources.push({ name, body, aliases });
      versions.set(name, version);
    }
    this.#options.onMessage?.(typeUrl, bytes);
    const batch = { resources, removed: response.removedResources };
    const rejected = await state.receive(batch, versions);
    if (this.#stream === stream) this.#reply(stream, response, rejected);
    this.refreshNames();
    this.#announceSync();
    this.#backoff.reset();
  }

  #reply(
    stream: Stream,
    { typeUrl, nonce }: DeltaDiscoveryResponse,
    rejected: readonly { name: string; reason: string }[],
  ): void {
    if (rejected.length === 0) {
      stream.write(create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce }));
      return;
    }
    const message = rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
    this.#options.log.error('resources rejected', { typeUrl, error: message });
    stream.write(
      create(DeltaDiscoveryRequestSchema, {
        typeUrl,
        responseNonce: nonce,
        errorDetail: { code: 0, message },
      }),
    );
  }

  #announceSync(): void {
    if (this.#announced || !this.#states.every(({ synced }) => synced)) return;
    this.#announced = true;
    this.#options.onSynced();
  }

  #afterEnd(
    code: status,
    details: string,
    heard: boolean,
  ): { reason: TerminationReason; delayMs: number } {
    const { log, endpoint } = this.#options;
    if (code === status.OK) {
      this.#backoff.reset();
      return { reason: 'Complete', delayMs: RECONNECT_SOON_MS };
    }
    const isOrdinary =
      heard &&
      (code === status.UNKNOWN || code === status.CANCELLED || code === status.DEADLINE_EXCEEDED);
    if (isOrdinary) {
      log.debug('stream ended, reconnecting', { error: details });
      return { reason: 'Reconnect', delayMs: RECONNECT_SOON_MS };
    }
    log.warn('stream failed', { address: endpoint.address, error: `${status[code]}: ${details}` });
    return { reason: heard ? 'Error' : 'ConnectionError', delayMs: this.#backoff.next() };
  }
}
