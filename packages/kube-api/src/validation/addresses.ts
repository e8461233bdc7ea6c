/** Addresses, blocks of them and paths (apimachinery `validation`, kubernetes `pkg/apis/core/validation`), with their wording. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { isCidr } from '../schema/formats.ts';
import { type Cause, invalidValue, requiredValue } from '../status.ts';

/** Addresses that no endpoint can have, and what they are. */
const SPECIAL = (
  [
    ['0.0.0.0', 32, 'may not be unspecified (0.0.0.0 or ::)'],
    ['::', 128, 'may not be unspecified (0.0.0.0 or ::)'],
    ['127.0.0.0', 8, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ['::1', 128, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ['169.254.0.0', 16, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ['fe80::', 10, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ['224.0.0.0', 24, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
    ['ff02::', 10, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
  ] as const
).map(([network, prefix, why]) => {
  const block = new BlockList();
  block.addSubnet(network, prefix, isIPv4(network) ? 'ipv4' : 'ipv6');
  return { block, why };
});

/** Why an address is none that traffic goes to; null for one that is. */
export function specialAddress(address: string): string | null {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  return SPECIAL.find(({ block }) => block.check(address, family))?.why ?? null;
}

/** An address of either family. */
export function addressCauses(field: string, address: unknown): Cause[] {
  if (isIP(String(address)) !== 0) return [];
  const why = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
  return [invalidValue(field, address, why)];
}

/** An address that traffic can go to; `family` IPv4 or IPv6, or null for both. */
export function endpointAddressCauses(
  field: string,
  address: unknown,
  family: string | null,
): Cause[] {
  const text = String(address);
  const isOfFamily = family === 'IPv4' ? isIPv4(text) : isIPv6(text);
  if (family !== null && !isOfFamily) {
    return [invalidValue(field, address, `must be a valid ${family} address`)];
  }
  const causes = addressCauses(field, address);
  const special = causes.length === 0 ? specialAddress(text) : null;
  return special === null ? causes : [invalidValue(field, address, special)];
}

/** An address with the length of its prefix. */
export function cidrCauses(field: string, cidr: unknown): Cause[] {
  if (isCidr(String(cidr))) return [];
  const why = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
  return [invalidValue(field, cidr, why)];
}

/** A path that does not lead up. */
export function upwardCauses(field: string, path: unknown): Cause[] {
  if (!String(path).split('/').includes('..')) return [];
  return [invalidValue(field, path, "must not contain '..'")];
}

/** A path below a volume, which is there. */
export function localPathCauses(field: string, path: unknown): Cause[] {
  const text = typeof path === 'string' ? path : '';
  if (text === '') return [requiredValue(field)];
  const isBelow = !text.startsWith('/') && !text.startsWith('..');
  if (!isBelow) return [invalidValue(field, path, 'must be a relative path that does not lead up')];
  return upwardCauses(field, path);
}
