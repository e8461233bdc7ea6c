/** Who a discovery stream serves (spec control-plane 3.3). */
import { err, type Locality, ok, type Result } from '@aquifer/model';

type ProxyType = 'sidecar' | 'router' | 'waypoint' | 'ztunnel';

export interface ConnectedProxy {
  /** `<type>~<ip>~<pod>.<ns>~<ns>.svc.<domain>`, as sent. */
  readonly id: string;
  readonly type: ProxyType;
  readonly ip: string;
  readonly podName: string;
  readonly namespace: string;
  /** From metadata; empty when not given. */
  readonly nodeName: string;
  readonly serviceAccount: string;
  readonly version: string;
  readonly clusterId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Null if it does not say. */
  readonly locality: Locality | null;
  /** The service account, if a token proved it; else empty. */
  readonly provenAccount: string;
  /** Whether the caller's token proved that it is this node's proxy. */
  readonly isNodeVerified: boolean;
  /** Under which its own configuration is derived; null for proxies that are served what others are, too. */
  readonly servedAs: string | null;
}

const TYPES: readonly string[] = ['sidecar', 'router', 'waypoint', 'ztunnel'];

/** The error is the text of an InvalidArgument. */
export function parseProxy(
  id: string,
  metadata: Readonly<Record<string, unknown>>,
  locality: Locality | null = null,
): Result<ConnectedProxy, string> {
  if (id === '') return err('missing node information');
  const [type = '', ip = '', name = '', domain = '', ...rest] = id.split('~');
  if (!TYPES.includes(type) || domain === '' || rest.length > 0) {
    return err(`invalid node id ${JSON.stringify(id)}: expected type~ip~pod.namespace~domain`);
  }
  const dot = name.lastIndexOf('.');
  if (dot < 1) return err(`invalid node id ${JSON.stringify(id)}: expected pod.namespace`);
  const text = (key: string): string => {
    const value = metadata[key];
    return typeof value === 'string' ? value : '';
  };
  return ok({
    id,
    type: type as ProxyType,
    ip,
    podName: name.slice(0, dot),
    namespace: name.slice(dot + 1),
    nodeName: text('NODE_NAME'),
    serviceAccount: text('SERVICE_ACCOUNT'),
    version: text('ISTIO_VERSION') || text('VERSION'),
    clusterId: text('CLUSTER_ID'),
    metadata,
    locality,
    provenAccount: '',
    isNodeVerified: false,
    servedAs: null,
  });
}
