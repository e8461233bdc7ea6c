/** What the cluster's DNS knows, as CoreDNS answers it (https://github.com/kubernetes/dns, specification 1.1). Pure. */
import type { EndpointSlice, Service } from '@aquifer/model/resources';

/** `null`: no such name. An empty list: the name exists, but not with this type. */
export type Lookup = readonly DnsRecord[] | null;

export type DnsRecord =
  | { readonly type: 'A'; readonly name: string; readonly address: string }
  | { readonly type: 'SRV'; readonly name: string; readonly target: string; readonly port: number };

const ZONE = 'svc.cluster.local';

/** All names of the cluster; made anew when Services or endpoints change. */
export class DnsNames {
  readonly #records = new Map<string, DnsRecord[]>();

  constructor(services: readonly Service[], slices: readonly EndpointSlice[]) {
    for (const service of services) {
      const { name, namespace } = service.metadata ?? {};
      const own = slices.filter(
        ({ metadata }) =>
          metadata?.namespace === namespace &&
          metadata?.labels?.['kubernetes.io/service-name'] === name,
      );
      this.#addService(service, own);
    }
  }

  /** `name` in any case, without the final dot. */
  lookup(name: string, type: string): Lookup {
    const records = this.#records.get(name.toLowerCase());
    if (records === undefined) return null;
    return records.filter((record) => record.type === type);
  }

  #addService(service: Service, slices: readonly EndpointSlice[]): void {
    const { clusterIP = '', ports = [], type } = service.spec ?? {};
    if (type === 'ExternalName' || clusterIP === '') return;
    const name = `${service.metadata?.name}.${service.metadata?.namespace}.${ZONE}`;
    if (clusterIP === 'None') return this.#addHeadless(name, service, slices);
    this.#add({ type: 'A', name, address: clusterIP });
    for (const port of ports) {
      const service = `_${port.name ?? ''}._${(port.protocol ?? 'TCP').toLowerCase()}.${name}`;
      if (port.name) this.#add({ type: 'SRV', name: service, target: name, port: port.port });
    }
  }

  #addHeadless(name: string, service: Service, slices: readonly EndpointSlice[]): void {
    const takesUnready = service.spec?.publishNotReadyAddresses === true;
    this.#records.set(name, this.#records.get(name) ?? []);
    for (const slice of slices) {
      for (const endpoint of slice.endpoints ?? []) {
        const address = endpoint.addresses[0];
        if (address === undefined) continue;
        if (endpoint.conditions?.ready === false && !takesUnready) continue;
        const host = endpoint.hostname ?? address.replaceAll('.', '-');
        const target = `${host}.${name}`;
        this.#add({ type: 'A', name, address });
        this.#add({ type: 'A', name: target, address });
        for (const { name: portName, protocol = 'TCP', port } of slice.ports ?? []) {
          if (!portName || port === undefined || port === null) continue;
          const srv = `_${portName}._${protocol.toLowerCase()}.${name}`;
          this.#add({ type: 'SRV', name: srv, target, port });
        }
      }
    }
  }

  #add(record: DnsRecord): void {
    const key = record.name.toLowerCase();
    const known = this.#records.get(key);
    if (known === undefined) this.#records.set(key, [record]);
    else known.push(record);
  }
}
