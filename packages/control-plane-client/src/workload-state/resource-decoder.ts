import type { Authorization, Result } from '@aquifer/model';
import { decodeAuthorization, decodeService, decodeWorkload } from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { fromBinary } from '@bufbuild/protobuf';
import type { Address } from './record.ts';

/** The body of an Address resource, or why it cannot be used. */
export function decodeAddress(body: Uint8Array): Result<Address, string> {
  return safely<Address>(() => {
    const { type } = fromBinary(AddressSchema, body);
    switch (type.case) {
      case 'workload':
        return decodeWorkload(type.value);
      case 'service':
        return decodeService(type.value);
      case undefined:
        return { ok: false, error: 'unknown address type' };
    }
  });
}

/** The body of an Authorization resource, or why it cannot be enforced. */
export function decodePolicy(body: Uint8Array): Result<Authorization, string> {
  return safely(() => decodeAuthorization(fromBinary(AuthorizationSchema, body)));
}

/** Bytes that are no protobuf at all are a rejected resource too, not a crash. */
function safely<T>(decode: () => Result<T, string>): Result<T, string> {
  try {
    return decode();
  } catch (error) {
    return { ok: false, error: `not decodable: ${(error as Error).message}` };
  }
}
