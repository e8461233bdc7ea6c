import { X509Certificate } from 'node:crypto';
import { type DumpedResource, type DumpKind, fieldAt, listAt, nameOf } from './envoy-dump.ts';
import { formatTable } from './output/table.ts';

/** The tables of `istioctl proxy-config`, by kind. */
export const TABLES: Readonly<Record<DumpKind, (resources: readonly DumpedResource[]) => string>> =
  {
    listener: listenerTable,
    cluster: clusterTable,
    route: routeTable,
    endpoint: endpointTable,
    secret: secretTable,
  };

function listenerTable(listeners: readonly DumpedResource[]): string {
  const rows = listeners.flatMap((listener) => {
    const address = String(fieldAt(listener, 'address', 'socket_address', 'address') ?? 'internal');
    const port = String(fieldAt(listener, 'address', 'socket_address', 'port_value') ?? '');
    const fallback = fieldAt(listener, 'default_filter_chain');
    const chains = [...listAt(listener, 'filter_chains'), ...(fallback ? [fallback] : [])];
    return chains.map((chain) => [
      nameOf(listener),
      address,
      port,
      chainMatch(chain),
      destination(chain),
    ]);
  });
  return formatTable(['NAME', 'ADDRESS', 'PORT', 'MATCH', 'DESTINATION'], rows);
}

function chainMatch(chain: unknown): string {
  const match = fieldAt(chain, 'filter_chain_match');
  const port = fieldAt(match, 'destination_port');
  const named = String(fieldAt(chain, 'name') ?? '');
  const parts = [
    ...listAt(match, 'server_names').map((name) => `SNI: ${String(name)}`),
    ...listAt(match, 'application_protocols').map((name) => `ALPN: ${String(name)}`),
    ...(port === undefined ? [] : [`port ${String(port)}`]),
  ];
  return parts.length > 0 ? parts.join('; ') : named || 'ALL';
}

function destination(chain: unknown): string {
  const filters = listAt(chain, 'filters').map((filter) => fieldAt(filter, 'typed_config'));
  for (const config of filters) {
    const routes =
      fieldAt(config, 'rds', 'route_config_name') ?? fieldAt(config, 'route_config', 'name');
    if (routes !== undefined) return `Route: ${String(routes)}`;
    const cluster = fieldAt(config, 'cluster');
    if (cluster !== undefined) return `Cluster: ${String(cluster)}`;
    const [weighted] = listAt(config, 'weighted_clusters', 'clusters');
    if (weighted !== undefined) return `Cluster: ${nameOf(weighted as DumpedResource)} …`;
  }
  return 'Non-HTTP/Non-TCP';
}

/** `direction|port|subset|host`, as the control plane names clusters; other names stand alone. */
function clusterTable(clusters: readonly DumpedResource[]): string {
  const rows = clusters.map((cluster) => {
    const type = String(
      fieldAt(cluster, 'type') ?? fieldAt(cluster, 'cluster_type', 'name') ?? 'STATIC',
    );
    const [direction, port, subset, host] = nameOf(cluster).split('|');
    return host === undefined
      ? [nameOf(cluster), '-', '-', '-', type]
      : [host, port || '-', subset || '-', direction!, type];
  });
  return formatTable(['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE'], rows);
}

function routeTable(configurations: readonly DumpedResource[]): string {
  const rows = configurations.flatMap((configuration) =>
    listAt(configuration, 'virtual_hosts').flatMap((host) =>
      listAt(host, 'routes').map((route) => [
        nameOf(configuration),
        nameOf(host as DumpedResource),
        listAt(host, 'domains').map(String).join(','),
        routeMatch(fieldAt(route, 'match')),
        routeTarget(route),
      ]),
    ),
  );
  return formatTable(['NAME', 'VHOST NAME', 'DOMAINS', 'MATCH', 'CLUSTER'], rows);
}

function routeMatch(match: unknown): string {
  const prefix = fieldAt(match, 'prefix') ?? fieldAt(match, 'path_separated_prefix');
  const regex = fieldAt(match, 'safe_regex', 'regex');
  const path = prefix === undefined ? (fieldAt(match, 'path') ?? regex) : `${String(prefix)}*`;
  const conditions = listAt(match, 'headers').length + listAt(match, 'query_parameters').length;
  const text = path === undefined ? 'CONNECT' : String(path);
  return conditions === 0 ? text : `${text} and ${conditions} more`;
}

function routeTarget(route: unknown): string {
  const cluster = fieldAt(route, 'route', 'cluster');
  if (cluster !== undefined) return String(cluster);
  const weighted = listAt(route, 'route', 'weighted_clusters', 'clusters');
  if (weighted.length > 0)
    return weighted
      .map((one) => `${nameOf(one as DumpedResource)} ${String(fieldAt(one, 'weight') ?? 0)}`)
      .join(', ');
  if (fieldAt(route, 'redirect') !== undefined) return 'redirect';
  return `direct response ${String(fieldAt(route, 'direct_response', 'status') ?? '')}`.trim();
}

function endpointTable(assignments: readonly DumpedResource[]): string {
  const rows = assignments.flatMap((assignment) =>
    listAt(assignment, 'endpoints').flatMap((locality) =>
      listAt(locality, 'lb_endpoints').map((endpoint) => [
        addressOf(fieldAt(endpoint, 'endpoint', 'address')),
        String(fieldAt(endpoint, 'health_status') ?? 'HEALTHY'),
        [fieldAt(locality, 'locality', 'region'), fieldAt(locality, 'locality', 'zone')]
          .filter((part) => part !== undefined)
          .map(String)
          .join('/'),
        nameOf(assignment),
      ]),
    ),
  );
  return formatTable(['ENDPOINT', 'STATUS', 'LOCALITY', 'CLUSTER'], rows);
}

function addressOf(address: unknown): string {
  const internal = fieldAt(address, 'envoy_internal_address');
  if (internal !== undefined)
    return `${String(fieldAt(internal, 'server_listener_name'))};${String(fieldAt(internal, 'endpoint_id') ?? '')}`;
  const socket = fieldAt(address, 'socket_address');
  const pipe = fieldAt(address, 'pipe', 'path');
  if (pipe !== undefined) return `unix://${String(pipe)}`;
  return `${String(fieldAt(socket, 'address'))}:${String(fieldAt(socket, 'port_value'))}`;
}

function secretTable(secrets: readonly DumpedResource[]): string {
  const rows = secrets.flatMap((entry) => {
    const chain = fieldAt(entry, 'secret', 'tls_certificate', 'certificate_chain', 'inline_bytes');
    const roots = fieldAt(entry, 'secret', 'validation_context', 'trusted_ca', 'inline_bytes');
    const type = chain === undefined ? 'CA' : 'Cert Chain';
    return certificatesOf(String(chain ?? roots ?? '')).map((certificate) => [
      nameOf(entry),
      type,
      BigInt(`0x${certificate.serialNumber}`).toString(16),
      certificate.validFromDate.toISOString(),
      certificate.validToDate.toISOString(),
    ]);
  });
  return formatTable(['RESOURCE NAME', 'TYPE', 'SERIAL NUMBER', 'NOT BEFORE', 'NOT AFTER'], rows);
}

function certificatesOf(base64: string): X509Certificate[] {
  const pem = Buffer.from(base64, 'base64').toString();
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((text) => new X509Certificate(text));
}
