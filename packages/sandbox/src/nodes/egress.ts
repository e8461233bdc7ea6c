/**
 * The way of pods to what is outside of the machine, for a sandbox that was told to open it. On the machine it needs a table
 * of nftables that translates their addresses, and forwarding; both are taken back in the end.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { HOST_ADDRESS, type NodeAddresses } from './addresses.ts';
import { runCommand } from './command.ts';
import { HOST_LINK, ip, nodeNamespace } from './network.ts';

const TABLE = 'aquifer-egress';
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

const RULES = `table ip ${TABLE} {
  chain postrouting {
    type nat hook postrouting priority srcnat
    ip saddr { 10.244.0.0/16, 10.245.0.0/24 } oifname != "${HOST_LINK}" masquerade
  }
}
`;

/** Whether the machine passes on what is not for it. */
export function isForwarding(): boolean {
  return readFileSync(FORWARDING, 'utf8').trim() === '1';
}

/** Throws `CommandError`. A firewall of the machine that drops what is forwarded goes on doing so. */
export async function openEgress(nodes: readonly NodeAddresses[]): Promise<void> {
  await runCommand('nft', ['-f', '-'], RULES);
  writeFileSync(FORWARDING, '1');
  for (const { name } of nodes) {
    await ip(nodeNamespace(name), [`route add default via ${HOST_ADDRESS}`]);
  }
}

/** Also what a sandbox that crashed had opened. */
export async function closeEgress({
  stopsForwarding,
}: {
  readonly stopsForwarding: boolean;
}): Promise<void> {
  // It may not have come so far.
  await runCommand('nft', ['delete', 'table', 'ip', TABLE]).catch(() => undefined);
  if (stopsForwarding) writeFileSync(FORWARDING, '0');
}
