/** What the cluster's DNS knows, as CoreDNS answers it (https://github.com/kubernetes/dns, specification 1.1). Pure. */
import { isSliceOf } from '@aquifer/model/kubernetes';
import type { EndpointSlice, Service } from '@aquifer/model/resources';

/** `null`: no such name. An empty list: the name exists, but not with this type. */
export type Lookup = readonly DnsRecord[] | null;

export type DnsRecord =
  | { readonly type: 'CNAME'; readonly name: string; readonly target: string }
  | { readonly type: 'A'; readonly name: string; readonly address: string }
  | { readonly type: 'SRV'; readonly name: string; readonly target: string; readonly port: number };

const ZONE = 'svc.cluster.local';

/** All names of the cluster; made anew when Services or endpoints change. */
export class DnsNames {
  readonly #records = new Map<string, DnsRecord[]>();

  constructor(services: readonly Service[], slices: readonly EndpointSlice[]) {
    for (const service of services) {
      const { clusterIP = '', type, externalName = '' } = service.spec ?? {};
      if (type !== 'ExternalName' && clusterIP === '') continue;
      const name = `${service.metadata?.name}.${service.metadata?.namespace}.${ZONE}`;
      if (type === 'ExternalName') {
        this.#add([{ type: 'CNAME', name, target: externalName }]);
        continue;
      }
      if (clusterIP !== 'None') {
        this.#add(addressedRecords(name, service, clusterIP));
        continue;
      }
      // A headless Service without endpoints has a name, but no address.
      this.#records.set(name, []);
      const own = slices.filter((slice) => isSliceOf(slice, service));
      for (const slice of own) this.#add(headlessRecords(name, service, slice));
    }
  }

  /** `name` in any case, without the final dot. An alias comes with what it leads to, as far as the cluster knows. */
  lookup(name: string, type: string): Lookup {
    const records = this.#records.get(name.toLowerCase());
    if (records === undefined) return null;
    const [alias] = records;
    if (alias?.type !== 'CNAME') return records.filter((record) => record.type === type);
    const beyond = this.#records.get(alias.target.toLowerCase()) ?? [];
    return [alias, ...beyond.filter((record) => record.type === type)];
  }

  #add(records: readonly DnsRecord[]): void {
    for (const record of records) {
      const known = this.#records.get(record.name);
      if (known === undefined) this.#records.set(record.name, [record]);
      else known.push(record);
    }
  }
}

function addressedRecords(name: string, service: Service, address: string): DnsRecord[] {
  const ports = service.spec?.ports ?? [];
  return [
    { type: 'A', name, address },
    ...ports
      .filter((port) => port.name)
      .map(({ port, protocol, name: portName = '' }): DnsRecord => {
        const srv = serviceName(portName, protocol, name);
        return { type: 'SRV', name: srv, target: name, port };
      }),
  ];
}

function headlessRecords(name: string, service: Service, slice: EndpointSlice): DnsRecord[] {
  const takesUnready = service.spec?.publishNotReadyAddresses === true;
  const ports = (slice.ports ?? []).filter((port) => port.name && port.port);
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => takesUnready || conditions?.ready !== false)
    .flatMap(({ hostname, addresses: [address] }): DnsRecord[] => {
      if (address === undefined) return [];
      const target = `${hostname ?? address.replaceAll('.', '-')}.${name}`;
      return [
        { type: 'A', name, address },
        { type: 'A', name: target, address },
        ...ports.map((port): DnsRecord => {
          const srv = serviceName(port.name ?? '', port.protocol, name);
          return { type: 'SRV', name: srv, target, port: port.port ?? 0 };
        }),
      ];
    });
}

/** `_http._tcp.echo.shop.svc.cluster.local` */
function serviceName(port: string, protocol: string | undefined, name: string): string {
  return `_${port}._${(protocol ?? 'TCP').toLowerCase()}.${name}`;
}
