/** Ports of the proxy inside every captured pod (spec ztunnel 1.3). */
export const OUTBOUND_PORT = 15_001;
export const INBOUND_PLAINTEXT_PORT = 15_006;
export const INBOUND_HBONE_PORT = 15_008;
export const SOCKS_PORT = 15_080;
export const DNS_PORT = 15_053;

/** Nothing may be tunnelled to them, or sent to them from the pod itself. */
export function proxyPorts(servesSocks: boolean): ReadonlySet<number> {
  const always = [OUTBOUND_PORT, INBOUND_PLAINTEXT_PORT, INBOUND_HBONE_PORT];
  return new Set(servesSocks ? [...always, SOCKS_PORT] : always);
}
