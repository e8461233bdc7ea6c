import { parseIpAddress } from '@aquifer/model';
import type { SocketAddress } from './socket-address.ts';

/** PROXY protocol version 2 (haproxy's proxy-protocol.txt, section 2.2). */
const SIGNATURE = Uint8Array.of(
  0x0d,
  0x0a,
  0x0d,
  0x0a,
  0x00,
  0x0d,
  0x0a,
  0x51,
  0x55,
  0x49,
  0x54,
  0x0a,
);
/** Version 2, command PROXY. */
const VERSION_AND_COMMAND = 0x21;
/** TCP over IPv4, and over IPv6. */
const FAMILY = { v4: 0x11, v6: 0x21 } as const;
/** Type of the field that carries who connected (spec ztunnel 2.7). */
const TYPE_PEER_IDENTITY = 0xd0;

/**
 * What a proxy writes before the first byte of a connection, so that the application knows who connected and where to.
 * With addresses of different families both are given as IPv6, the IPv4 one mapped.
 */
export function encodeProxyV2(connection: {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  /** SPIFFE URI; null for a caller without one. */
  readonly identity: string | null;
}): Uint8Array {
  const { source, destination, identity } = connection;
  const addresses = [bytesOf(source.ip), bytesOf(destination.ip)];
  const isV6 = addresses.some(({ length }) => length === 16);
  const tlv = identity === null ? new Uint8Array() : identityField(identity);
  const body = [
    ...addresses.map((address) => (isV6 ? asV6(address) : address)),
    uint16(source.port),
    uint16(destination.port),
    tlv,
  ];
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const family = isV6 ? FAMILY.v6 : FAMILY.v4;
  return concat([SIGNATURE, Uint8Array.of(VERSION_AND_COMMAND, family), uint16(length), ...body]);
}

function identityField(identity: string): Uint8Array {
  const text = new TextEncoder().encode(identity);
  return concat([Uint8Array.of(TYPE_PEER_IDENTITY), uint16(text.length), text]);
}

function bytesOf(ip: string): Uint8Array {
  const bytes = parseIpAddress(ip);
  if (bytes === null) throw new Error(`${ip} is not an IP address`);
  return bytes;
}

/** ::ffff:a.b.c.d */
function asV6(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  return concat([new Uint8Array(10), Uint8Array.of(0xff, 0xff), address]);
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
