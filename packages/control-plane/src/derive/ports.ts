/** Application protocols and target ports of Service ports (spec control-plane 2.3, 2.5). */
import type { AppProtocol, ServicePort } from '@aquifer/model';
import type { Pod, Service } from '@aquifer/model/resources';

/** One entry of a Service's `spec.ports`. */
export type KubernetesServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

const BY_NAME: Readonly<Record<string, AppProtocol>> = {
  http: 'http11',
  http2: 'http2',
  grpc: 'grpc',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
};

const BY_APP_PROTOCOL: Readonly<Record<string, AppProtocol>> = {
  ...BY_NAME,
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http11',
  'kubernetes.io/wss': 'tls',
};

/** Names that Istio knows but ztunnel does not tell apart: they stay UNKNOWN even on a well-known port. */
const OPAQUE_NAMES: readonly string[] = ['grpc-web', 'mysql', 'mongo', 'redis', 'udp'];

/** Server-first protocols: never sniffed, so TCP when the name says nothing (SMTP, DNS, MySQL, MongoDB). */
const SERVER_FIRST_PORTS: readonly number[] = [25, 53, 3306, 27017];

/** What a Service port carries; anything but TCP is UNKNOWN. */
export function appProtocolOf(port: KubernetesServicePort): AppProtocol {
  if ((port.protocol ?? 'TCP') !== 'TCP') return 'unknown';
  const text = (port.appProtocol ?? port.name ?? '').toLowerCase();
  const known = port.appProtocol === undefined ? byName(text) : byAppProtocol(text);
  if (known !== undefined) return known;
  return SERVER_FIRST_PORTS.includes(port.port) ? 'tcp' : 'unknown';
}

function byAppProtocol(text: string): AppProtocol | undefined {
  return OPAQUE_NAMES.includes(text) ? 'unknown' : BY_APP_PROTOCOL[text];
}

/** A name counts up to its first dash, but for `grpc-web`. */
function byName(name: string): AppProtocol | undefined {
  const word = name.startsWith('grpc-web') ? 'grpc-web' : name.split('-', 1)[0]!;
  return OPAQUE_NAMES.includes(word) ? 'unknown' : BY_NAME[word];
}

/** The ports as the Service itself lists them: a named target is 0, each workload resolves its own. */
export function servicePorts(service: Service): ServicePort[] {
  return (service.spec?.ports ?? []).map((port) => ({
    servicePort: port.port,
    targetPort: typeof port.targetPort === 'string' ? 0 : port.targetPort || port.port,
    appProtocol: appProtocolOf(port),
  }));
}

/** The ports as one pod serves them: a named target that the pod lacks drops that port. */
export function podPorts(service: Service, pod: Pod): ServicePort[] {
  const ports: ServicePort[] = [];
  for (const port of service.spec?.ports ?? []) {
    const targetPort =
      typeof port.targetPort === 'string'
        ? namedPort(pod, port.targetPort)
        : port.targetPort || port.port;
    if (targetPort === undefined) continue;
    ports.push({ servicePort: port.port, targetPort, appProtocol: 'unknown' });
  }
  return ports;
}

/** Only TCP ports of containers, and of init containers that keep running (native sidecars), have usable names. */
function namedPort(pod: Pod, name: string): number | undefined {
  const running = (pod.spec?.initContainers ?? []).filter(
    ({ restartPolicy }) => restartPolicy === 'Always',
  );
  for (const container of [...(pod.spec?.containers ?? []), ...running]) {
    for (const port of container.ports ?? []) {
      if (port.name === name && (port.protocol ?? 'TCP') === 'TCP') return port.containerPort;
    }
  }
  return undefined;
}
