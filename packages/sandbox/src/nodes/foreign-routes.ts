import { type Cidr, cidrContains, parseCidr } from '@aquifer/model';
import { SandboxError } from '../errors.ts';
import { runCommand } from './command.ts';

interface Route {
  /** `default`, a network, or an address. */
  readonly dst: string;
  readonly dev?: string;
}

/** Throws `SandboxError` if the machine already routes addresses that the sandbox needs: to a cluster, or a VPN. */
export async function refuseForeignRoutes(networks: readonly string[]): Promise<void> {
  const text = await runCommand('ip', ['-4', '-json', 'route', 'show', 'table', 'all']);
  const found = foreignRoute(JSON.parse(text) as Route[], networks);
  if (found === null) return;
  const by = found.dev === undefined ? '' : ` by ${found.dev}`;
  throw new SandboxError(
    'SB_NETWORK_IN_USE',
    `this machine routes ${found.dst}${by}, and the sandbox needs ${networks.join(', ')}: end the cluster or VPN that has it, or use another machine`,
  );
}

/** The first route, the default one not counted, that shares addresses with one of the networks; null if none does. */
export function foreignRoute(routes: readonly Route[], networks: readonly string[]): Route | null {
  const needed = networks.map((text) => parseCidr(text)!);
  const shares = ({ dst }: Route): boolean => {
    const routed = parseCidr(dst);
    return routed !== null && needed.some((own) => overlap(own, routed));
  };
  return routes.find(shares) ?? null;
}

function overlap(a: Cidr, b: Cidr): boolean {
  return cidrContains(a, b.address) || cidrContains(b, a.address);
}
