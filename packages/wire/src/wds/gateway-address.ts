import type { GatewayAddress, Result } from '@aquifer/model';
import { err, formatIpAddress, ok, parseIpAddress } from '@aquifer/model';
import { create } from '@bufbuild/protobuf';
import {
  GatewayAddressSchema,
  type GatewayAddress as PbGatewayAddress,
} from '../gen/istio/workload_pb.ts';

export function encodeGatewayAddress(gateway: GatewayAddress): PbGatewayAddress {
  const { destination, hboneMtlsPort } = gateway;
  if (destination.kind === 'hostname') {
    const { namespace, hostname } = destination;
    return create(GatewayAddressSchema, {
      destination: { case: 'hostname', value: { namespace, hostname } },
      hboneMtlsPort,
    });
  }
  const address = parseIpAddress(destination.address) ?? new Uint8Array();
  return create(GatewayAddressSchema, {
    destination: { case: 'address', value: { network: destination.network, address } },
    hboneMtlsPort,
  });
}

/** Absent stays null; a gateway without a destination, or with a malformed address, is refused. */
export function decodeGatewayAddress(
  message: PbGatewayAddress | undefined,
): Result<GatewayAddress | null, string> {
  if (message === undefined) return ok(null);
  const { destination, hboneMtlsPort } = message;
  switch (destination.case) {
    case 'hostname': {
      const { namespace, hostname } = destination.value;
      return ok({ destination: { kind: 'hostname', namespace, hostname }, hboneMtlsPort });
    }
    case 'address': {
      const address = formatIpAddress(destination.value.address);
      if (address === null) return err(malformedAddress(destination.value.address));
      const { network } = destination.value;
      return ok({ destination: { kind: 'address', network, address }, hboneMtlsPort });
    }
    case undefined:
      return err('gateway address has no destination');
  }
}

export function malformedAddress(bytes: Uint8Array): string {
  return `failed to parse address, had ${bytes.length} bytes`;
}
