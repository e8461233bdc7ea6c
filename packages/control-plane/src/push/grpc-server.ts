/** The two gRPC ports: discovery, certificates and capture reports (spec control-plane 3.1). */
import type { Logger } from '@aquifer/runtime';
import { grpcMethods } from '@aquifer/wire';
import {
  type CaptureReportRequest,
  CaptureReportResponseSchema,
  NodeService,
} from '@aquifer/wire/gen/aquifer/node_pb';
import { AggregatedDiscoveryService } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import {
  type IstioCertificateRequest,
  IstioCertificateResponseSchema,
  IstioCertificateService,
} from '@aquifer/wire/gen/istio/ca_pb';
import { create } from '@bufbuild/protobuf';
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import type { ServerCertificate } from '../ca/authority.ts';
import { type CertificateDeps, createCertificate } from '../ca/certificate-service.ts';
import type { ServerIdentity } from '../ca/serving-certificate.ts';
import { Refusal, toRefusal } from '../errors.ts';
import type { Authenticate, Caller } from './authenticate.ts';
import type { DeltaStream } from './delta-connection.ts';
import type { DiscoveryServer } from './discovery-server.ts';
import { type CaptureDeps, reportCapture } from './node-service.ts';
import type { Published, Publisher } from './publisher.ts';
import type { StateStream } from './state-connection.ts';

export interface GrpcDeps {
  readonly discovery: DiscoveryServer;
  readonly publisher: Publisher;
  readonly authenticate: Authenticate;
  /** Null where proxies ask another authority: the service is not there then. */
  readonly certificates: CertificateDeps | null;
  readonly captures: CaptureDeps;
  readonly log: Logger;
}

/** A bound server; `port` is the real one. */
export interface BoundGrpcServer {
  readonly port: number;
  /** Ends streams and waits for calls in flight, at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
const OPTIONS = {
  'grpc.max_receive_message_length': 16 * MEBIBYTE,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_concurrent_streams': 100_000,
};

/** How long a connection lives, and its streams after that. */
interface ConnectionAge {
  readonly maxMs: number;
  readonly graceMs: number;
}

/** Istio's defaults. */
const AGE: ConnectionAge = { maxMs: 30 * 60_000, graceMs: 10_000 };

/**
 * `identity` is what the TLS port shows; null serves plaintext. Proxies whose connection is too old reconnect
 * with their versions: tokens are checked anew, replicas share evenly.
 */
export async function listenGrpc(
  address: string,
  identity: ServerIdentity | null,
  deps: GrpcDeps,
  age: ConnectionAge = AGE,
): Promise<BoundGrpcServer> {
  const server = new Server({
    ...OPTIONS,
    'grpc.max_connection_age_ms': age.maxMs,
    'grpc.max_connection_age_grace_ms': age.graceMs,
  });
  const discovery = grpcMethods(AggregatedDiscoveryService);
  server.addService(
    {
      deltaAggregatedResources: discovery.deltaAggregatedResources,
      streamAggregatedResources: discovery.streamAggregatedResources,
    },
    {
      deltaAggregatedResources: ((stream: DeltaStream) =>
        deps.discovery.serveDelta(stream, identity !== null)) as UntypedHandleCall,
      streamAggregatedResources: ((stream: StateStream) =>
        deps.discovery.serveState(stream, identity !== null)) as UntypedHandleCall,
    },
  );
  const { certificates } = deps;
  if (certificates !== null) {
    server.addService(grpcMethods(IstioCertificateService), {
      createCertificate: unary<IstioCertificateRequest, unknown>(
        deps,
        async (request, caller, published) => {
          const certChain = await createCertificate(request, caller, published, certificates);
          return create(IstioCertificateResponseSchema, { certChain });
        },
      ),
    });
  }
  server.addService(grpcMethods(NodeService), {
    reportCapture: unary<CaptureReportRequest, unknown>(
      deps,
      async (request, caller, published) => {
        await reportCapture(request, caller, published, deps.captures);
        return create(CaptureReportResponseSchema);
      },
    ),
  });
  const port = await bind(server, address, identity);
  return { port, stop: (graceMs) => stop(server, graceMs) };
}

function bind(server: Server, address: string, identity: ServerIdentity | null): Promise<number> {
  const credentials =
    identity === null ? ServerCredentials.createInsecure() : new RenewedCredentials(identity);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

/** Connections that are open keep the certificate with which they began. */
class RenewedCredentials extends ServerCredentials {
  constructor(identity: ServerIdentity) {
    super({ requestCert: false }, contextOf(identity.current));
    identity.subscribe((certificate) => this.updateSecureContextOptions(contextOf(certificate)));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf({ key, chain }: ServerCertificate): {
  readonly key: string;
  readonly cert: string;
} {
  return { key, cert: chain };
}

function stop(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

type Handler<Request, Response> = (
  request: Request,
  caller: Caller,
  published: Published,
) => Response | Promise<Response>;

/** A call that needs a known caller and a cluster that has been listed. */
function unary<Request, Response>(
  { authenticate, publisher, log }: GrpcDeps,
  handle: Handler<Request, Response>,
): UntypedHandleCall {
  const answer = async (call: ServerUnaryCall<Request, Response>): Promise<Response> => {
    const caller = await authenticate(call.metadata);
    const known = caller.ok ? caller.value : null;
    if (known === null) {
      log.warn('call is not authenticated', {
        path: call.getPath(),
        error: caller.ok ? 'no token' : caller.error,
      });
      throw new Refusal('CP_UNAUTHENTICATED', 'request authenticate failure');
    }
    const published = publisher.current;
    if (published === null) throw new Refusal('CP_NOT_READY', 'server is not ready');
    return handle(call.request, known, published);
  };
  const respond = async (
    call: ServerUnaryCall<Request, Response>,
    done: sendUnaryData<Response>,
  ): Promise<void> => {
    try {
      done(null, await answer(call));
    } catch (error) {
      const refusal = toRefusal(error);
      const { message } = error as Error;
      log.warn('call refused', { path: call.getPath(), code: refusal.refusal, error: message });
      done(refusal.toServiceError());
    }
  };
  return (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>) => {
    void respond(call, done);
  };
}
