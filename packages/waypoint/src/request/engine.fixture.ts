import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { httpBootstrap } from '../../../../test/fixtures/static-proxy.ts';
import { KNOWN_TYPES } from '../capabilities/known-types.ts';
import { ClusterManager } from '../clusters/cluster-manager.ts';
import { RESOURCES } from '../data-plane/resources.ts';
import { ServedConfig } from '../data-plane/snapshot.ts';
import { dispatch } from '../listeners/dispatch.ts';
import { RequestTelemetry } from '../telemetry/request-telemetry.ts';
import { Dialer } from '../upstream/dialer.ts';
import type { EngineDeps } from './connection.ts';
import { TimerWheel } from './timer-wheel.ts';

const NOBODY = {
  principal: '',
  workload: null,
  namespace: null,
  canonicalName: null,
  canonicalRevision: null,
  cluster: null,
};

/** What a bootstrap says. */
type Clusters = Parameters<typeof httpBootstrap>[0];
type HttpListener = Omit<Parameters<typeof httpBootstrap>[1][number], 'port'>;

/** All that a data-plane thread does with one listener, in the thread of the test. */
export class Engine {
  readonly deps: EngineDeps;
  readonly #dialer: Dialer;
  readonly #server: Server;
  port = 0;

  constructor() {
    this.#dialer = new Dialer({
      secureContext: () => null,
      trustedPrefixes: () => [],
      baggage: '',
    });
    this.deps = {
      config: new ServedConfig(new ClusterManager(this.#dialer)),
      timers: new TimerWheel(),
      telemetry: new RequestTelemetry(() => undefined),
      connections: new Set(),
    };
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const { config } = this.deps;
      const destination = { ip: '127.0.0.1', port: this.port };
      const client = { ip: '127.0.0.1', port: socket.remotePort ?? 0 };
      const listener = `inbound-${this.port}`;
      socket.on('error', () => socket.destroy());
      const choice = config.chosenNow(listener, destination);
      if (choice === null) socket.destroy();
      else
        void dispatch(socket, choice, { listener, source: NOBODY, client, destination }, this.deps);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** As a control plane does; what is open is judged again. */
  configure(clusters: Clusters, listener: HttpListener): void {
    const bootstrap = httpBootstrap(clusters, [{ ...listener, port: this.port }]) as {
      readonly static_resources: {
        readonly clusters: readonly JsonValue[];
        readonly listeners: readonly JsonValue[];
      };
    };
    const { clusters: some, listeners } = bootstrap.static_resources;
    const { config, connections } = this.deps;
    for (const each of some) RESOURCES.cluster.upsert(config, bytesOf(ClusterSchema, each));
    for (const each of listeners) RESOURCES.listener.upsert(config, bytesOf(ListenerSchema, each));
    for (const connection of connections) connection.judgeAgain();
  }

  close(): void {
    this.#server.close();
    this.#dialer.close();
  }
}

function bytesOf(schema: DescMessage, value: JsonValue): Uint8Array {
  return toBinary(schema, fromJson(schema, value, { registry: KNOWN_TYPES }));
}
