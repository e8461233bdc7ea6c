/** Application protocols and target ports of Service ports (spec control-plane 2.3, 2.5). */
import type { AppProtocol, ServicePort } from '@aquifer/model';
import type { Pod, Service } from '@aquifer/model/resources';

/** One entry of a Service's `spec.ports`. */
export type KubernetesServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

const BY_NAME: ReadonlyMap<string, AppProtocol> = new Map([
  ['http', 'http11'],
  ['http2', 'http2'],
  ['grpc', 'grpc'],
  ['https', 'tls'],
  ['tls', 'tls'],
  ['tcp', 'tcp'],
]);

/** Kubernetes' own values of `appProtocol` (KEP-3726), which no port name can have. */
const STANDARD: ReadonlyMap<string, AppProtocol> = new Map([
  ['kubernetes.io/h2c', 'http2'],
  ['kubernetes.io/ws', 'http11'],
  ['kubernetes.io/wss', 'tls'],
]);

/** Words that Istio knows but ztunnel does not tell apart: they stay UNKNOWN even on a well-known port. */
const OPAQUE: readonly string[] = ['grpc-web', 'http_proxy', 'mysql', 'mongo', 'redis', 'udp'];

/** Server-first protocols: never sniffed, so TCP when the name says nothing (SMTP, DNS, MySQL, MongoDB). */
const SERVER_FIRST_PORTS: readonly number[] = [25, 53, 3306, 27017];

/** What a Service port carries; a UDP port is UNKNOWN, an SCTP port is judged like a TCP one. */
export function appProtocolOf(port: KubernetesServicePort): AppProtocol {
  if (port.protocol === 'UDP') return 'unknown';
  const standard = STANDARD.get(port.appProtocol ?? '');
  if (standard !== undefined) return standard;
  const word = wordOf((port.appProtocol ?? port.name ?? '').toLowerCase());
  if (OPAQUE.includes(word)) return 'unknown';
  return BY_NAME.get(word) ?? (SERVER_FIRST_PORTS.includes(port.port) ? 'tcp' : 'unknown');
}

/** Text counts up to its first dash, but for `grpc-web`. */
function wordOf(text: string): string {
  return text.startsWith('grpc-web') ? 'grpc-web' : text.split('-', 1)[0]!;
}

/** The ports as the Service itself lists them: a named target is 0, each workload resolves its own. */
export function servicePorts(service: Service): ServicePort[] {
  return (service.spec?.ports ?? []).map((port) => ({
    servicePort: port.port,
    targetPort: typeof port.targetPort === 'string' ? 0 : port.targetPort || port.port,
    appProtocol: appProtocolOf(port),
  }));
}

/**
 * The ports as one pod serves them: a named target that the pod lacks drops that port. As upstream, the last of several
 * ports with one number (53 of UDP and of TCP) decides which name stands for all of them.
 */
export function podPorts(service: Service, pod: Pod): ServicePort[] {
  const names = lastOfEachNumber(service);
  const ports: ServicePort[] = [];
  for (const { servicePort, targetPort: listed } of servicePorts(service)) {
    const name = names.get(servicePort)?.targetPort;
    const targetPort = typeof name === 'string' ? namedPort(pod, name) : listed;
    if (targetPort === undefined) continue;
    ports.push({ servicePort, targetPort, appProtocol: 'unknown' });
  }
  return ports;
}

/** A port's number says nothing about its protocol, so two ports may share one. */
export function lastOfEachNumber(service: Service): ReadonlyMap<number, KubernetesServicePort> {
  return new Map((service.spec?.ports ?? []).map((port) => [port.port, port]));
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
