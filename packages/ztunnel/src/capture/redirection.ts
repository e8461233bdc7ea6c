import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** Mark of every socket the proxy makes, so that its traffic is not captured again (spec ztunnel 7.5). */
export const PROXY_MARK = 0x539;
/** Connection mark of what the proxy delivers to the application; replies are routed back to the proxy. */
const REPLY_MARK = 0x111;
const MASK = 0xfff;
/** Kubelet probes arrive from here and pass untouched. */
const PROBE_ADDRESS = '169.254.7.127';
const ROUTE_TABLE = 100;
const RULE_PREFERENCE = 32_764;

export const OUTBOUND_PORT = 15_001;
export const INBOUND_PLAINTEXT_PORT = 15_006;
export const INBOUND_HBONE_PORT = 15_008;

const NAT_TABLE = 'inet istio-ambient-nat';
const MANGLE_TABLE = 'inet istio-ambient-mangle';
/** Seen from the pod: what arrives at it, and what it opens itself. */
const NAT_CHAINS = { inbound: 'istio-prerouting', outbound: 'istio-output' } as const;

/** Only a connection's first packet is redirected: connections older than the capture keep flowing untouched. */
const FIRST_PACKET = 'tcp flags & (fin | syn | rst | ack) == syn';

export interface RedirectionOptions {
  /** Leave plaintext that arrives at the pod alone. */
  readonly bypassInbound: boolean;
}

/**
 * nft program that replaces the rules of an earlier run in their chains. With new chains in place of the old, a packet
 * could be looked at by both while neither has rules, and leave in plain text.
 */
function captureRules(options: RedirectionOptions): string {
  const inbound = options.bypassInbound
    ? ''
    : `
    ip saddr ${PROBE_ADDRESS} accept
    meta mark & ${MASK} == ${PROXY_MARK} accept
    iifname "lo" accept
    tcp dport != ${INBOUND_HBONE_PORT} ${FIRST_PACKET} redirect to :${INBOUND_PLAINTEXT_PORT}`;
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
  chain ${NAT_CHAINS.inbound} {
    type nat hook prerouting priority dstnat; policy accept;${inbound}
  }
  chain ${NAT_CHAINS.outbound} {
    type nat hook output priority -100; policy accept;
    ip daddr ${PROBE_ADDRESS} accept
    meta mark & ${MASK} == ${REPLY_MARK} accept
    meta mark & ${MASK} == ${PROXY_MARK} accept
    ip daddr 127.0.0.1 accept
    ip6 daddr ::1 accept
    oifname "lo" accept
    ${FIRST_PACKET} redirect to :${OUTBOUND_PORT}
  }
}
`;
}

/**
 * nft program that captures nothing new in one direction. The chains stay, so that connections that are being
 * translated go on until the proxy has let them finish.
 */
function releaseRules(direction: keyof typeof NAT_CHAINS): string {
  return `flush chain ${NAT_TABLE} ${NAT_CHAINS[direction]}\n`;
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

/** Settings of the namespace's kernel, and their values while it is captured and otherwise. */
const SETTINGS = [
  // Callers that wait to be accepted move to the other listeners of their port when one closes: to those of the proxy
  // that takes over. Otherwise they are reset.
  { path: 'net/ipv4/tcp_migrate_req', captured: 1, otherwise: 0 },
  // Connections older than the capture stay unknown. Otherwise their last packets leave entries behind in which later
  // connections of the proxy, from the same address and port, get lost.
  { path: 'net/netfilter/nf_conntrack_tcp_loose', captured: 0, otherwise: 1 },
] as const;

/**
 * Shell steps that never fail: without the settings capture works, but for the few connections named above. A
 * container's own /proc/sys is usually read-only, the host's is not; both show the calling process's namespace.
 */
function settingCommands(state: 'captured' | 'otherwise'): string {
  return SETTINGS.map((setting) => {
    const write = (proc: string): string => `echo ${setting[state]} > ${proc}/sys/${setting.path}`;
    return `{ (${write('/proc')}) || (${write('/proc/1/root/proc')}); } 2>/dev/null; `;
  }).join('');
}

/**
 * Starts capturing in a namespace, given as a path such as `/proc/<pid>/fd/<n>`. Idempotent. The rules come last: by
 * then the replies of what they capture find their way back.
 */
export function installRedirection(
  namespacePath: string,
  options: RedirectionOptions,
): Promise<void> {
  return runInNamespace(
    namespacePath,
    `${settingCommands('captured')}${routeCommands('add')} && nft -f -`,
    captureRules(options),
  );
}

/** Stops capturing new connections in one direction. */
export function releaseRedirection(
  namespacePath: string,
  direction: keyof typeof NAT_CHAINS,
): Promise<void> {
  return runInNamespace(namespacePath, 'nft -f -', releaseRules(direction));
}

/** Removes rules and routes. */
export function removeRedirection(namespacePath: string): Promise<void> {
  const script = `${settingCommands('otherwise')}nft -f - && ${routeCommands('del')}`;
  return runInNamespace(namespacePath, script, tablesAfter('delete'));
}

async function runInNamespace(namespacePath: string, script: string, input: string): Promise<void> {
  const child = spawn('nsenter', [`--net=${namespacePath}`, 'sh', '-c', script], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [errors, code] = await Promise.all([text(child.stderr), exit]);
  if (code !== 0)
    throw new Error(`redirection rules were refused: ${errors.trim() || `exit ${code}`}`);
}
