import { canonicalIpAddress } from '@aquifer/model';

/** An IP address and a port. */
export interface SocketAddress {
  readonly ip: string;
  readonly port: number;
}

/** `10.0.0.1:80`, `[::1]:80`. */
export function formatSocketAddress(address: SocketAddress): string {
  return address.ip.includes(':')
    ? `[${address.ip}]:${address.port}`
    : `${address.ip}:${address.port}`;
}

/** What a CONNECT request aims at: an address, or a service hostname to be resolved. */
export type Authority =
  | ({ readonly kind: 'address' } & SocketAddress)
  | { readonly kind: 'hostname'; readonly hostname: string; readonly port: number };

/** `ip:port`, `[ip]:port` or `host:port`; the port is mandatory. Null if it is none of them. */
export function parseAuthority(text: string): Authority | null {
  const separator = text.lastIndexOf(':');
  if (separator <= 0) return null;
  const portText = text.slice(separator + 1);
  if (!/^\d{1,5}$/.test(portText)) return null;
  const port = Number(portText);
  if (port > 65_535) return null;
  const host = text.slice(0, separator);
  const bracketed = host.startsWith('[') && host.endsWith(']');
  const ip = canonicalIpAddress(bracketed ? host.slice(1, -1) : host);
  if (ip !== null && bracketed === host.includes(':')) return { kind: 'address', ip, port };
  if (!/^[A-Za-z0-9*]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(host)) return null;
  return { kind: 'hostname', hostname: host, port };
}
