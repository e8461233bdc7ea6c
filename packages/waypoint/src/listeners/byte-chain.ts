import type { Duplex } from 'node:stream';
import { resetSocket, splice } from '@aquifer/hbone';
import { formatSocketAddress } from '@aquifer/wire';
import { xxHash64 } from '../clusters/balance/xx-hash64.ts';
import { ANY_HOST, type Cluster, type HostChoice } from '../clusters/cluster.ts';
import type { Host } from '../clusters/host.ts';
import type { AccessRecord } from '../compile/access-record.ts';
import type { TcpChain } from '../compile/chain.ts';
import type { AuthorizationInput } from '../compile/rbac.ts';
import type { ConnectionInfo, EngineDeps, OpenConnection } from '../request/engine.ts';
import { denialBy } from '../request/outcome.ts';
import type { Timeout } from '../request/timer-wheel.ts';
import type { ConnectionSeries } from '../telemetry/connection-telemetry.ts';
import type { ToldMetrics } from '../telemetry/told-metrics.ts';

/** A connection whose bytes are passed on as they are. */
export interface ByteConnection {
  readonly stream: Duplex;
  readonly chain: TcpChain;
  readonly info: ConnectionInfo;
  /** What was read of the stream to find out what it carries. */
  readonly early: Buffer | null;
}

/** How a connection ended, as its access line says it. */
interface Ending {
  readonly flag: string;
  readonly termination: string | null;
  readonly failure: string | null;
}

const DONE: Ending = { flag: '', termination: null, failure: null };

/** Passes bytes on to an endpoint of the chain's cluster; a connection without one, or that is denied, is cut. */
export async function serveTcp(connection: ByteConnection, deps: EngineDeps): Promise<void> {
  await new PassedConnection(connection, deps).serve();
}

class PassedConnection implements OpenConnection {
  readonly #stream: Duplex;
  readonly #info: ConnectionInfo;
  readonly #early: Buffer | null;
  readonly #deps: EngineDeps;
  readonly #startedAtMs = performance.now();
  #chain: TcpChain;
  #clusterName: string | null = null;
  #host: Host | null = null;
  #series: ConnectionSeries | null = null;
  #received = 0;
  #sent = 0;
  #cut: Ending | null = null;
  #movedAtMs = performance.now();
  readonly #timeouts: Timeout[] = [];

  constructor({ stream, chain, info, early }: ByteConnection, deps: EngineDeps) {
    this.#stream = stream;
    this.#chain = chain;
    this.#info = info;
    this.#early = early;
    this.#deps = deps;
  }

  async serve(): Promise<void> {
    this.#deps.connections.add(this);
    const ending = await this.#passOn();
    this.#deps.connections.delete(this);
    if (!this.#stream.closed) resetSocket(this.#stream);
    this.#record(this.#cut ?? ending);
  }

  /** One whose port lost its waypoint goes on until somebody denies it. */
  judgeAgain(): void {
    const { listener, destination } = this.#info;
    const before = { http: null, tcp: this.#chain };
    const { tcp: next } = this.#deps.config.chosenSince(listener, destination, before);
    if (next === null) return;
    if (next === this.#chain) return;
    this.#chain =
      next.kind === 'tcp' ? next : { ...this.#chain, authorization: next.bytesAuthorization };
    const policy = this.#denial();
    if (policy !== null) this.#end(policy);
  }

  readonly isBusy = true;

  drain(): void {
    // Nothing in bytes says that another connection should be made for the next ones.
  }

  closeIfIdle(): void {
    // Nobody knows whether more will come.
  }

  endUpgrades(): void {
    // An end in order could be taken for the end of what was sent.
  }

  async #passOn(): Promise<Ending> {
    const policy = this.#denial();
    if (policy !== null) return policy;
    const { clusters } = this.#deps.config;
    const name = chooseCluster(this.#chain);
    const cluster = name === null ? null : clusters.get(name, this.#info.destination);
    this.#clusterName = name;
    if (cluster === null) return { ...DONE, flag: 'NC' };
    const host = cluster.pick(this.#choiceFor(cluster));
    if (host === null) return { ...DONE, flag: 'UH' };
    if (!host.breakers.admitConnection()) return { ...DONE, flag: 'UO' };
    this.#host = host;
    this.#series = this.#deps.telemetry.passed.opened({
      source: this.#info.source,
      destination: host.metadata,
      service: cluster.name,
      told: this.#told(),
    });
    host.active += 1;
    try {
      return await this.#splice(host);
    } catch (error) {
      return { ...DONE, flag: 'UF', failure: (error as Error).message.replaceAll(' ', '_') };
    } finally {
      host.active -= 1;
      host.breakers.connectionClosed();
    }
  }

  #choiceFor(cluster: Cluster): HostChoice {
    if (this.#chain.hashes === 'nothing' || !cluster.wantsHash) return ANY_HOST;
    return { ...ANY_HOST, hash: xxHash64(this.#info.client.ip) };
  }

  async #splice(host: Host): Promise<Ending> {
    const upstream = await host.pool.dial().catch((error: unknown) => {
      host.report('unreachable');
      throw error;
    });
    host.report('tcp-connected');
    if (this.#cut !== null) {
      upstream.destroy();
      return this.#cut;
    }
    const series = this.#series!;
    this.#watch();
    const counters = {
      received: (bytes: number) => {
        this.#received += bytes;
        this.#movedAtMs = performance.now();
        series.receivedBytes += bytes;
      },
      sent: (bytes: number) => {
        this.#sent += bytes;
        this.#movedAtMs = performance.now();
        series.sentBytes += bytes;
      },
    };
    await splice(this.#stream, upstream, counters, this.#early);
    for (const timeout of this.#timeouts) timeout.cancel();
    return DONE;
  }

  /** Ends it when nobody has said anything for too long, or when it has lasted too long (as Envoy's tcp_proxy). */
  #watch(): void {
    const { idleTimeoutMs, maxDurationMs } = this.#chain;
    if (idleTimeoutMs > 0) this.#watchIdle(idleTimeoutMs, idleTimeoutMs);
    if (maxDurationMs === 0) return;
    const end = (): void => this.#end({ ...DONE, flag: 'DT' });
    this.#timeouts[1] = this.#deps.timers.start(maxDurationMs, end);
  }

  #watchIdle(limitMs: number, waitMs: number): void {
    this.#timeouts[0] = this.#deps.timers.start(waitMs, () => {
      const leftMs = limitMs - (performance.now() - this.#movedAtMs);
      if (leftMs > 0) this.#watchIdle(limitMs, leftMs);
      else this.#end({ ...DONE, termination: 'tcp_session_idle_timeout' });
    });
  }

  #end(ending: Ending): void {
    this.#cut = ending;
    resetSocket(this.#stream);
  }

  #denial(): Ending | null {
    const { authorization } = this.#chain;
    if (authorization.length === 0) return null;
    const { source, client, destination } = this.#info;
    const input: AuthorizationInput = {
      ...UNREAD,
      peerPrincipal: source.principal,
      sourceIp: client.ip,
      destinationIp: destination.ip,
      destinationPort: destination.port,
    };
    const reply = denialBy(authorization, input);
    return reply === null ? null : { ...DONE, termination: reply.details };
  }

  #record({ flag, termination, failure }: Ending): void {
    const { telemetry } = this.#deps;
    if (this.#series !== null) this.#series.closed += 1;
    if (this.#chain.accessLog === null) return;
    this.#chain.accessLog(this.#describe({ flag, termination, failure }), telemetry.sinks);
  }

  #told(): ToldMetrics | null {
    const { metrics } = this.#chain;
    if (metrics === null) return null;
    return metrics.toldOf(metrics.looksAt === 'nothing' ? null : this.#describe(DONE));
  }

  #describe({ flag, termination, failure }: Ending): AccessRecord {
    const durationMs = performance.now() - this.#startedAtMs;
    return {
      ...NO_REQUEST,
      startedAtMs: Date.now() - durationMs,
      flags: flag || '-',
      terminationDetails: termination,
      bytesReceived: this.#received,
      bytesSent: this.#sent,
      durationMs: Math.round(durationMs),
      upstreamHost: this.#host?.name ?? null,
      upstreamCluster: this.#clusterName,
      upstreamFailure: failure,
      downstreamLocal: formatSocketAddress(this.#info.destination),
      downstreamRemote: formatSocketAddress(this.#info.client),
      source: this.#info.source,
      destination: this.#host?.metadata ?? null,
    };
  }
}

/** Bytes show neither method nor path nor headers; rules that ask for them are compiled so that they do not look. */
const UNREAD = {
  method: '',
  authority: '',
  path: '',
  header: () => null,
  query: () => null,
  verified: null,
} as const;

const NO_REQUEST = {
  protocol: null,
  method: '-',
  path: '-',
  status: 0,
  details: '-',
  upstreamServiceTimeMs: null,
  requestHeaders: [],
  responseHeaders: [],
  traceId: null,
  authority: '-',
  routeName: '-',
  grpcStatus: null,
} as const;

function chooseCluster({ targets }: TcpChain): string | null {
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  let left = Math.random() * total;
  for (const { cluster, weight } of targets) {
    left -= weight;
    if (left < 0) return cluster;
  }
  return null;
}
