/** What the control plane knows of the mesh, in the form of Istio's debug pages. */
import type { Service, Workload } from '@aquifer/model';
import { describeEndpoint, describePolicy, describeService, describeWorkload } from '@aquifer/wire';
import type { Collection } from '../../collections/collection.ts';
import type { MeshService, Resolution } from '../../derive/mesh-service.ts';
import { deriveNetworkGateways } from '../../derive/network-gateways.ts';
import { nameOf, namespaceOf } from '../../derive/object.ts';
import { KINDS } from '../../ingest/cluster-inputs.ts';
import { CONFIGURATION } from '../../ingest/revision.ts';
import type { Published } from '../../push/publisher.ts';

/** Numbers of Istio's `Resolution`. */
const RESOLUTIONS: Readonly<Record<Resolution, number>> = {
  workloads: 0,
  dns: 1,
  'dns-round-robin': 2,
  none: 3,
  headless: 3,
  alias: 4,
  'dynamic-dns': 5,
};

/** `/debug/registryz`: the services of the mesh. */
export function registry({ mesh }: Published): unknown[] {
  return valuesOf(mesh.meshServices).map((service) => ({
    Attributes: {
      ServiceRegistry: service.kind === 'Service' ? 'Kubernetes' : 'External',
      Name: nameOf(service),
      Namespace: namespaceOf(service),
      Labels: service.metadata.labels ?? {},
      LabelSelectors: service.selector ?? {},
    },
    hostname: service.hostname,
    ports: service.ports.map(({ number: port, name, protocol }) => ({
      name,
      port,
      protocol: protocol.toUpperCase(),
    })),
    creationTime: service.metadata.creationTimestamp ?? null,
    clusterVIPs: { Addresses: { [service.clusterId]: service.addresses.map(addressText) } },
    Resolution: RESOLUTIONS[service.resolution],
    MeshExternal: service.kind === 'ServiceEntry',
  }));
}

function addressText({ address, prefixLength }: MeshService['addresses'][number]): string {
  return prefixLength === null ? address : `${address}/${prefixLength}`;
}

/** `/debug/endpointz`: who is behind each port of each service. */
export function endpoints({ mesh }: Published): unknown[] {
  return valuesOf(mesh.services).flatMap(({ service, resource }) => {
    const workloads = mesh.workloadsByService.lookup(resource.name);
    return service.ports.map((port) => ({
      svc: `${service.hostname}:${port.name || port.number}`,
      ep: workloads.flatMap(({ value }) =>
        (value.services.get(resource.name) ?? [])
          .filter(({ servicePort }) => servicePort === port.number)
          .flatMap(({ targetPort }) =>
            value.addresses.map((ip) => endpoint(value, ip, targetPort)),
          ),
      ),
    }));
  });
}

function endpoint(workload: Workload, address: string, endpointPort: number): object {
  const { uid, serviceAccount, status, node, network, locality } = workload;
  return { address, endpointPort, workload: uid, serviceAccount, status, node, network, locality };
}

/** `/debug/instancesz`: which services each workload serves. */
export function instances({ mesh }: Published): unknown {
  return Object.fromEntries(
    valuesOf(mesh.workloads).map(({ value }) => [
      value.uid,
      [...value.services].map(([service, ports]) => ({ service, ports })),
    ]),
  );
}

/** `/debug/configz`: configuration of the mesh, as the API has it. */
export function configuration({ cluster }: Published): unknown[] {
  return KINDS.filter((kind) =>
    [...CONFIGURATION, 'Gateway', 'GatewayClass'].includes(kind),
  ).flatMap((kind) => valuesOf(cluster.anyOf(kind)));
}

/** `/debug/ambientz`: what node proxies are served. */
export function ambient({ mesh }: Published): unknown {
  const resources = valuesOf(mesh.addresses).map(({ value }) => value);
  return {
    workloads: resources.filter(isWorkload).map(describeWorkload),
    services: resources.filter(isService).map((service) => {
      const key = `${service.namespace}/${service.hostname}`;
      const behind = mesh.workloadsByService.lookup(key);
      const described = behind.map(
        ({ value }) => [value.uid, describeEndpoint(value, key)] as const,
      );
      return describeService(service, Object.fromEntries(described));
    }),
    policies: valuesOf(mesh.authorizations).map(({ value }) => describePolicy(value)),
  };
}

function isWorkload(value: Workload | Service): value is Workload {
  return 'uid' in value;
}

function isService(value: Workload | Service): value is Service {
  return !isWorkload(value);
}

/** `/debug/authorizationz`: AuthorizationPolicies by namespace. */
export function authorizations({ cluster, mesh }: Published): unknown {
  const policies = valuesOf(cluster.of('AuthorizationPolicy'));
  return {
    authorization_policies: {
      namespace_to_policies: Object.groupBy(policies, namespaceOf),
      root_namespace: mesh.settings.get('')?.rootNamespace,
    },
  };
}

/** `/debug/mesh`: what holds for the whole mesh. */
export function meshSettings({ mesh }: Published): unknown {
  return { ...mesh.settings.get(''), ...mesh.meshConfig.get('') };
}

/** `/debug/networkz`: gateways of other networks. */
export function networks({ cluster, mesh }: Published): unknown[] {
  const settings = mesh.settings.get('');
  if (settings === undefined) return [];
  return valuesOf(cluster.of('Gateway')).flatMap((gateway) =>
    deriveNetworkGateways(gateway, settings).map(({ network, address }) => ({ network, address })),
  );
}

function valuesOf<T>(collection: Collection<T>): T[] {
  return Array.from(collection.entries())
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value);
}
