/** Clusters for gRPC clients: what others are served, as far as gRPC takes it (gRFC A27, A29, A42, A50). */
import {
  ClusterSchema,
  Cluster_LbPolicy as LbPolicy,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { UpstreamTlsContextSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { Resource } from '../../resource.ts';
import { outboundCluster } from '../names.ts';
import { encoded } from '../owned-resource.ts';
import { type Extension, extension } from '../packed.ts';
import {
  type ClusterInit,
  discoveryOf,
  type PortCluster,
  policyOf,
  serviceCluster,
} from '../service-clusters.ts';

/** As the bootstrap files of Istio's agent name the provider of a workload's certificate, and of the roots. */
const PROVIDER = 'default';

/**
 * Null where gRPC cannot do what is asked: it finds endpoints over ADS only, and knows no certificates but those of its
 * bootstrap file. Requests fail then. `identities` are those that answer for the service.
 */
export function grpcCluster(
  part: PortCluster,
  identities: readonly string[],
): Resource<null> | null {
  const { service, port, subset } = part;
  const { tls } = policyOf(part) ?? {};
  if (discoveryOf(part, 'outbound') !== 'endpoints') return null;
  if (tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL') return null;
  const named = tls?.subjectAltNames ?? [];
  const name = outboundCluster(port.port, service.hostname, subset);
  const cluster = create(ClusterSchema, {
    ...balanced(serviceCluster(name, part, 'endpoints')),
    ...(tls?.mode === 'ISTIO_MUTUAL' && {
      transportSocket: meshTls(named.length > 0 ? named : identities),
    }),
  });
  return encoded(ClusterSchema, cluster, []);
}

/** Round robin, or the ring where requests are hashed: a client that is told of another policy refuses the cluster. */
function balanced({ lbConfig, lbPolicy, ...cluster }: ClusterInit): ClusterInit {
  const isHashed = lbPolicy === LbPolicy.RING_HASH || lbPolicy === LbPolicy.MAGLEV;
  if (!isHashed) return { ...cluster, lbPolicy: LbPolicy.ROUND_ROBIN };
  return {
    ...cluster,
    lbPolicy: LbPolicy.RING_HASH,
    ...(lbConfig?.case === 'ringHashLbConfig' && { lbConfig }),
  };
}

function meshTls(identities: readonly string[]): Extension {
  return extension('envoy.transport_sockets.tls', UpstreamTlsContextSchema, {
    commonTlsContext: {
      tlsCertificateProviderInstance: { instanceName: PROVIDER, certificateName: 'default' },
      validationContextType: {
        case: 'validationContext',
        value: {
          caCertificateProviderInstance: { instanceName: PROVIDER, certificateName: 'ROOTCA' },
          matchSubjectAltNames: identities.map((value) => ({
            matchPattern: { case: 'exact' as const, value },
          })),
        },
      },
    },
  });
}
