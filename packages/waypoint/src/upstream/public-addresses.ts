import { BlockList, isIPv6 } from 'node:net';
import type { DnsSettings } from '../clusters/dns-hosts.ts';
import { resolveName } from '../clusters/resolve-name.ts';

/** This machine, and what is reached from it alone: whoever may choose a name could choose what it resolves to. */
const NEVER = new BlockList();
NEVER.addSubnet('0.0.0.0', 8);
NEVER.addSubnet('127.0.0.0', 8);
NEVER.addSubnet('169.254.0.0', 16);
NEVER.addAddress('::', 'ipv6');
NEVER.addAddress('::1', 'ipv6');
NEVER.addSubnet('fe80::', 10, 'ipv6');

/** Those that may be connected to for a client that chose the name. */
export function withoutLocal(addresses: readonly string[]): readonly string[] {
  return addresses.filter((address) => !NEVER.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'));
}

/** What DNS says of a name that a client chose. Rejects if nobody knows it, or only this machine has it. */
export async function publicAddresses(
  name: string,
  family: DnsSettings['family'],
): Promise<readonly string[]> {
  const { addresses } = await resolveName(name, family);
  const found = withoutLocal(addresses);
  if (found.length === 0) throw new Error(`${name} has no address but local ones`);
  return found;
}
