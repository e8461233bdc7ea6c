/** Names of listeners, clusters and chains (spec control-plane 6.1). */

/** The listener that terminates HBONE. */
export const CONNECT_TERMINATE = 'connect_terminate';
/** The cluster and internal listener that opens HBONE. */
export const CONNECT_ORIGINATE = 'connect_originate';
/** The cluster and internal listener between the two, where HTTP is routed. */
export const MAIN_INTERNAL = 'main_internal';
/** The cluster that tunnels to the original destination. */
export const ENCAP = 'encap';
/** Dynamic metadata that holds where a tunnel leads (`local`) and through whom (`waypoint`). */
export const ORIGINAL_DST_KEY = 'envoy.filters.listener.original_dst';

/** A port of a service that is attached to the waypoint; without a subset also the name of its filter chain. */
export function inboundCluster(
  kind: 'http' | 'tcp',
  port: number,
  hostname: string,
  subset = '',
): string {
  return `inbound-vip|${port}|${subset === '' ? kind : `${kind}/${subset}`}|${hostname}`;
}

/** A port of any other service. */
export function outboundCluster(port: number, hostname: string, subset = ''): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** The cluster that leads where a connection was going. */
export const PASSTHROUGH = 'PassthroughCluster';
/** The cluster that leads nowhere. */
export const BLACK_HOLE = 'BlackHoleCluster';
