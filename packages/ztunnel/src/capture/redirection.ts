import { runInNamespace } from './namespace-command.ts';
import { forgetConnections, type RulesState, rulesState } from './netfilter.ts';
import type { NetworkNamespace } from './netns.ts';
import { applyCaptureSettings, readSettings, restoreSettings } from './settings.ts';

/** Mark of every socket the proxy makes, so that its traffic is not captured again (spec ztunnel 7.5). */
export const PROXY_MARK = 0x539;
/** Connection mark of what the proxy delivers to the application; replies are routed back to the proxy. */
const REPLY_MARK = 0x111;
const MASK = 0xfff;
/**
 * Kubelet probes arrive from here and pass untouched: `probe-source.ts` makes them so. The addresses are those of
 * Istio's node agent, so that network policies written for it fit.
 */
export const PROBE_ADDRESSES = {
  v4: '169.254.7.127',
  v6: 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
} as const;
const ROUTE_TABLE = 100;
const RULE_PREFERENCE = 32_764;

export const OUTBOUND_PORT = 15_001;
export const INBOUND_PLAINTEXT_PORT = 15_006;
export const INBOUND_HBONE_PORT = 15_008;
export const DNS_PORT = 15_053;

const NAT_TABLE_NAME = 'istio-ambient-nat';
const NAT_TABLE = `inet ${NAT_TABLE_NAME}`;
const MANGLE_TABLE = 'inet istio-ambient-mangle';
/** Seen from the pod: what arrives at it, and what it opens itself. */
const NAT_CHAINS = {
  inbound: { name: 'istio-prerouting', hook: 'hook prerouting priority dstnat' },
  outbound: { name: 'istio-output', hook: 'hook output priority -100' },
} as const;

type Direction = keyof typeof NAT_CHAINS;

/** Only a connection's first packet is redirected: connections older than the capture keep flowing untouched. */
const FIRST_PACKET = 'tcp flags & (fin | syn | rst | ack) == syn';

export interface RedirectionOptions {
  /** The node whose proxy captures; its name marks the rules. */
  readonly node: string;
  /** Leave plaintext that arrives at the pod alone. */
  readonly bypassInbound: boolean;
  /** Names are resolved by the proxy, whichever nameserver the pod's programs ask. */
  readonly captureDns: boolean;
}

/**
 * An empty chain that says whose rules these are: of a node proxy of this node, and of nobody else who uses tables of
 * these names. Its comment holds the namespace's settings before its first capture: the kernel keeps the comment that
 * a chain was made with.
 */
function markName(node: string): string {
  return `aquifer-${node}`.slice(0, 250);
}

/** The rules' generation, and whether they are of this node's proxy. */
export function observeRedirection(
  namespace: NetworkNamespace,
  node: string,
): { readonly generation: number; readonly isMarked: boolean } {
  const { generation, comment } = markState(namespace, node);
  return { generation, isMarked: comment !== null };
}

function markState(namespace: NetworkNamespace, node: string): RulesState {
  return rulesState(namespace, { table: NAT_TABLE_NAME, name: markName(node) });
}

/**
 * nft program that replaces the rules of an earlier run in their chains. With new chains in place of the old, a packet
 * could be looked at by both while neither has rules, and leave in plain text.
 */
function captureRules(
  { node, bypassInbound, captureDns }: RedirectionOptions,
  settings: string,
): string {
  const inbound = bypassInbound
    ? ''
    : `
    ip saddr ${PROBE_ADDRESSES.v4} accept
    ip6 saddr ${PROBE_ADDRESSES.v6} accept
    meta mark & ${MASK} == ${PROXY_MARK} accept
    iifname "lo" accept
    tcp dport != ${INBOUND_HBONE_PORT} ${FIRST_PACKET} redirect to :${INBOUND_PLAINTEXT_PORT}`;
  const dns = captureDns
    ? `
    udp dport 53 redirect to :${DNS_PORT}
    tcp dport 53 ${FIRST_PACKET} redirect to :${DNS_PORT}`
    : '';
  return `${tablesAfter('flush')}
table ${MANGLE_TABLE} {
  chain istio-prerouting {
    type filter hook prerouting priority mangle; policy accept;
    meta mark & ${MASK} == ${PROXY_MARK} ct mark set ${REPLY_MARK}
  }
  chain istio-output {
    type route hook output priority mangle; policy accept;
    ct mark & ${MASK} == ${REPLY_MARK} meta mark set ${REPLY_MARK}
  }
}
table ${NAT_TABLE} {
  chain ${markName(node)} {
    comment "${settings}"
  }
  ${natChain('inbound')}${inbound}
  }
  ${natChain('outbound')}
    ip daddr ${PROBE_ADDRESSES.v4} accept
    ip6 daddr ${PROBE_ADDRESSES.v6} accept
    meta mark & ${MASK} == ${REPLY_MARK} accept
    meta mark & ${MASK} == ${PROXY_MARK} accept
    ip daddr 127.0.0.1 accept
    ip6 daddr ::1 accept
    oifname "lo" accept${dns}
    ${FIRST_PACKET} redirect to :${OUTBOUND_PORT}
  }
}
`;
}

/**
 * nft program that captures nothing new in one direction. The chains stay, so that connections that are being
 * translated go on until the proxy has let them finish.
 */
function releaseRules(direction: Direction): string {
  const chain = `${NAT_TABLE} ${NAT_CHAINS[direction].name}`;
  return `table ${NAT_TABLE} {\n${natChain(direction)}\n}\n}\nflush chain ${chain}\n`;
}

/** The beginning of a chain's declaration, which is always the same: the kernel refuses another hook for a chain. */
function natChain(direction: Direction): string {
  const { name, hook } = NAT_CHAINS[direction];
  return `chain ${name} {\n    type nat ${hook}; policy accept;`;
}

/** Empties our tables, or removes them; declared first, so that it succeeds in any case. */
function tablesAfter(verb: 'flush' | 'delete'): string {
  return [NAT_TABLE, MANGLE_TABLE]
    .map((table) => `table ${table} {\n}\n${verb} table ${table}\n`)
    .join('');
}

const ROUTES = ['-4', '-6'].flatMap((family) => {
  const rule = `fwmark ${REPLY_MARK}/${MASK} pref ${RULE_PREFERENCE} lookup ${ROUTE_TABLE}`;
  const everything = family === '-4' ? '0.0.0.0/0' : '::/0';
  return { family, rule, route: `local ${everything} dev lo table ${ROUTE_TABLE}` };
});

/**
 * Shell steps that run before or after the nft program, which is on standard input. A rule that is there already stays:
 * without it, replies would leave the pod instead of going back to the proxy. IPv6 may be switched off in a namespace.
 */
function routeCommands(verb: 'add' | 'del'): string {
  return ROUTES.map(({ family, rule, route }) => {
    if (verb === 'del') {
      return `while ip ${family} rule del ${rule} 2>/dev/null; do :; done; ip ${family} route del ${route} 2>/dev/null; true`;
    }
    const present = `ip ${family} rule list pref ${RULE_PREFERENCE} | grep -q .`;
    const optional = family === '-6' ? ' 2>/dev/null || true' : '';
    return `{ { ${present} || ip ${family} rule add ${rule}; } && ip ${family} route replace ${route}${optional}; }`;
  }).join(' && ');
}

/**
 * Starts capturing in a namespace, or repairs what is there. Idempotent. The rules come last: by then the replies of
 * what they capture find their way back.
 */
export async function installRedirection(
  namespace: NetworkNamespace,
  options: RedirectionOptions,
): Promise<void> {
  const rules = captureRules(options, readSettings(namespace));
  applyCaptureSettings(namespace);
  await runInNamespace(namespace, `${routeCommands('add')} && nft -f -`, rules);
}

/** Stops capturing new connections in some directions, in one step. What is captured goes on. */
export function releaseRedirection(
  namespace: NetworkNamespace,
  ...directions: readonly Direction[]
): Promise<void> {
  return runInNamespace(namespace, 'nft -f -', directions.map(releaseRules).join(''));
}

/** Leaves the namespace as it was before its first capture: no rules, no routes, no tracked connections. */
export async function removeRedirection(namespace: NetworkNamespace, node: string): Promise<void> {
  const { comment } = markState(namespace, node);
  restoreSettings(namespace, comment ?? '');
  await runInNamespace(namespace, `nft -f - && ${routeCommands('del')}`, tablesAfter('delete'));
  forgetConnections(namespace);
}
