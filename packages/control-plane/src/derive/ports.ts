/** Ports of services, and what each workload behind one makes of them (spec control-plane 2.3, 2.5). */
import type { ServicePort } from '@aquifer/model';
import type { Pod, Service } from '@aquifer/model/resources';
import { appProtocolOf, type Protocol, protocolNamed } from './protocol.ts';

/** A port of a service. */
export interface MeshPort {
  readonly number: number;
  /** Empty if it has none. */
  readonly name: string;
  /** `TCP`, `UDP` or `SCTP`. */
  readonly transport: string;
  readonly protocol: Protocol;
  /** A number, or the name of a port of each workload. */
  readonly target: number | string;
}

/** One entry of a Service's `spec.ports`. */
export type KubernetesServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

/** Kubernetes' own values of `appProtocol` (KEP-3726), which no port name can have. */
const STANDARD: ReadonlyMap<string, Protocol> = new Map([
  ['kubernetes.io/h2c', 'http2'],
  ['kubernetes.io/ws', 'http'],
  ['kubernetes.io/wss', 'tls'],
]);

/** Server-first protocols: never sniffed, so TCP when the name says nothing (SMTP, DNS, MySQL, MongoDB). */
const SERVER_FIRST_PORTS: readonly number[] = [25, 53, 3306, 27017];

export function portsOfService(service: Service): MeshPort[] {
  return (service.spec?.ports ?? []).map((port) => ({
    number: port.port,
    name: port.name ?? '',
    transport: port.protocol ?? 'TCP',
    protocol: protocolOf(port),
    target: typeof port.targetPort === 'string' ? port.targetPort : port.targetPort || port.port,
  }));
}

/** What a Service port carries; a UDP port is just that, an SCTP port is judged like a TCP one. */
export function protocolOf(port: KubernetesServicePort): Protocol {
  if (port.protocol === 'UDP') return 'udp';
  const standard = STANDARD.get(port.appProtocol ?? '');
  if (standard !== undefined) return standard;
  const named = protocolNamed(wordOf((port.appProtocol ?? port.name ?? '').toLowerCase()));
  return named === 'unknown' && SERVER_FIRST_PORTS.includes(port.port) ? 'tcp' : named;
}

/** Text counts up to its first dash, but for `grpc-web`. */
function wordOf(text: string): string {
  return text.startsWith('grpc-web') ? 'grpc-web' : text.split('-', 1)[0]!;
}

/** The ports as the service itself lists them: a named target is 0, each workload resolves its own. */
export function servicePorts(ports: readonly MeshPort[]): ServicePort[] {
  return ports.map(({ number, target, protocol }) => ({
    servicePort: number,
    targetPort: typeof target === 'string' ? 0 : target,
    appProtocol: appProtocolOf(protocol),
  }));
}

/**
 * The ports as one pod serves them: a named target that the pod lacks drops that port. As upstream, the last of several
 * ports with one number (53 of UDP and of TCP) decides which name stands for all of them.
 */
export function podPorts(ports: readonly MeshPort[], pod: Pod): ServicePort[] {
  const last = lastOfEachNumber(ports);
  return servicePorts(ports).flatMap(({ servicePort, targetPort: listed }) => {
    const target = last.get(servicePort)?.target;
    const targetPort = typeof target === 'string' ? namedPort(pod, target) : listed;
    return targetPort === undefined ? [] : [{ servicePort, targetPort, appProtocol: 'unknown' }];
  });
}

/** The same of a service whose ports are called like those of the pods behind it; another port has its own number there. */
export function podPortsByName(ports: readonly MeshPort[], pod: Pod): ServicePort[] {
  return servicePorts(ports).map(({ servicePort, targetPort }, index) => ({
    servicePort,
    targetPort: namedPort(pod, ports[index]!.name) ?? targetPort,
    appProtocol: 'unknown',
  }));
}

/**
 * The ports as a workload serves them that lists the names of its own: a named target that it lacks drops that port, any
 * other port is where the workload has a port of its name, or else where the service says.
 */
export function listedPorts(
  ports: readonly MeshPort[],
  own: Readonly<Record<string, number>>,
): ServicePort[] {
  const last = lastOfEachNumber(ports);
  return servicePorts(ports).flatMap(({ servicePort, targetPort: listed }) => {
    const { name, target } = last.get(servicePort)!;
    const portOf = (key: string) => (Object.hasOwn(own, key) ? own[key] : undefined);
    const targetPort = typeof target === 'string' ? portOf(target) : (portOf(name) ?? listed);
    return targetPort === undefined ? [] : [{ servicePort, targetPort, appProtocol: 'unknown' }];
  });
}

/** A port's number says nothing about its protocol, so two ports may share one. */
export function lastOfEachNumber(ports: readonly MeshPort[]): ReadonlyMap<number, MeshPort> {
  return new Map(ports.map((port) => [port.number, port]));
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
