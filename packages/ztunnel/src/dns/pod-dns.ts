import { getServers } from 'node:dns';
import type { SocketAddress } from '@aquifer/wire';
import { listenDnsInPod, udpSocketInPod } from '../capture/dns-sockets.ts';
import type { PodSockets } from '../capture/pod-sockets.ts';
import { dialInPod } from '../capture/sockets.ts';
import { DnsListener } from './dns-listener.ts';
import { DnsProxy, type DnsProxyDeps } from './dns-proxy.ts';
import { DnsForwarder } from './forwarder.ts';

const DNS_SERVER_PORT = 53;

/** Serves the DNS port in a pod's namespace, until it is closed. Throws if a program of the pod has the port. */
export function servePodDns(
  sockets: PodSockets,
  deps: Omit<DnsProxyDeps, 'forwarder'>,
): DnsListener {
  const forwarder = new DnsForwarder(
    {
      udp: (family) => udpSocketInPod(sockets, family),
      tcp: (to) => dialInPod(sockets, to, { sourceIp: null }),
    },
    ownNameservers,
  );
  return new DnsListener(listenDnsInPod(sockets), new DnsProxy({ ...deps, forwarder }));
}

/** Those of this process, from its `/etc/resolv.conf`. */
function ownNameservers(): readonly SocketAddress[] {
  return getServers().map(parseNameserver);
}

/** `10.96.0.10`, `2001:db8::1`, or with a port `10.96.0.10:5353`, `[2001:db8::1]:5353`. */
export function parseNameserver(text: string): SocketAddress {
  const [, v6, v4, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  const ip = v6 ?? v4 ?? text;
  return { ip, port: port === undefined ? DNS_SERVER_PORT : Number(port) };
}
