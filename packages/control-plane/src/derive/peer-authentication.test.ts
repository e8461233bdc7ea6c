import type { PeerAuthentication } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import {
  convertPeerAuthentication,
  inheritedPeerAuthentication,
  peerAuthenticationKeys,
} from './peer-authentication.ts';

/** What the recordings (cases 27 and 28) do not show: port modes below a strict mesh or namespace. */
const ROOT = 'istio-system';
const STATIC = 'istio-system/istio_converted_static_strict';
const CONVERTED = 'shop/converted_peer_authentication_w';

type Mode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';

function policy(namespace: string, name: string, mode: Mode, created = '2026-01-01T00:00:00Z') {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { namespace, name, creationTimestamp: created },
    spec: { mtls: { mode } },
  } as PeerAuthentication;
}

function workloadPolicy(mode: Mode, ports: Record<string, Mode>): PeerAuthentication {
  const portLevelMtls = Object.fromEntries(
    Object.entries(ports).map(([port, own]) => [port, { mode: own }]),
  );
  const base = policy('shop', 'w', mode);
  return {
    ...base,
    spec: { ...base.spec, selector: { matchLabels: { app: 'a' } }, portLevelMtls },
  };
}

const PLAIN = 'plaintext';
const exempt = (port: number): string => `not ${port}`;

/** A group as words: the conditions that must all hold for the policy to refuse. */
function groupsOf(given: PeerAuthentication, mesh: Mode, namespace: Mode): string[][] {
  const inherited = inheritedPeerAuthentication(
    [policy(ROOT, 'm', mesh)],
    [policy('shop', 'n', namespace)],
  );
  const converted = convertPeerAuthentication(given, inherited);
  return (converted?.groups ?? []).map((rules) =>
    rules.map(([match]) => {
      const { destinationPorts, notDestinationPorts, notPrincipals } = match!;
      if (notDestinationPorts.length > 0) return exempt(notDestinationPorts[0]!);
      const isPlain = notPrincipals.length > 0;
      return destinationPorts.length > 0
        ? `${PLAIN} to ${destinationPorts[0]}`
        : isPlain
          ? PLAIN
          : '';
    }),
  );
}

function keysOf(given: PeerAuthentication, mesh: Mode, namespace: Mode): string[] {
  const own = [policy('shop', 'n', namespace), given];
  const inherited = inheritedPeerAuthentication([policy(ROOT, 'm', mesh)], own);
  return peerAuthenticationKeys({ app: 'a' }, own, inherited, ROOT);
}

interface Case {
  readonly workload: Mode;
  readonly ports: Record<string, Mode>;
  readonly mesh: Mode;
  readonly namespace: Mode;
  readonly groups: string[][];
  readonly keys: string[];
}

const CASES: readonly Case[] = [
  // An inherited STRICT: the exempt ports first, then the refusal of plaintext.
  {
    workload: 'UNSET',
    ports: { 9090: 'PERMISSIVE', 8080: 'STRICT' },
    mesh: 'STRICT',
    namespace: 'UNSET',
    groups: [[exempt(9090), PLAIN]],
    keys: [CONVERTED],
  },
  {
    workload: 'UNSET',
    ports: { 9090: 'PERMISSIVE' },
    mesh: 'PERMISSIVE',
    namespace: 'STRICT',
    groups: [[exempt(9090), PLAIN]],
    keys: [CONVERTED],
  },
  // A lone DISABLE port keeps the static policy in the list, as recorded.
  {
    workload: 'UNSET',
    ports: { 9090: 'DISABLE' },
    mesh: 'STRICT',
    namespace: 'UNSET',
    groups: [[exempt(9090), PLAIN]],
    keys: [STATIC],
  },
  // A workload's own STRICT under a STRICT mesh: the refusal stands twice.
  {
    workload: 'STRICT',
    ports: { 90: 'DISABLE', 80: 'PERMISSIVE' },
    mesh: 'STRICT',
    namespace: 'UNSET',
    groups: [[PLAIN, exempt(80), exempt(90), PLAIN]],
    keys: [CONVERTED],
  },
  {
    workload: 'STRICT',
    ports: { 80: 'PERMISSIVE' },
    mesh: 'PERMISSIVE',
    namespace: 'UNSET',
    groups: [[PLAIN, exempt(80)]],
    keys: [CONVERTED],
  },
  {
    workload: 'STRICT',
    ports: { 80: 'PERMISSIVE' },
    mesh: 'PERMISSIVE',
    namespace: 'STRICT',
    groups: [[PLAIN, exempt(80), PLAIN]],
    keys: [CONVERTED],
  },
  // A namespace that lifts the mesh's STRICT.
  {
    workload: 'UNSET',
    ports: { 80: 'STRICT', 81: 'PERMISSIVE' },
    mesh: 'STRICT',
    namespace: 'PERMISSIVE',
    groups: [[`${PLAIN} to 80`]],
    keys: [CONVERTED],
  },
  // Better than upstream (ADR 0010): the port stays strict although the workload lifts the mesh's STRICT.
  {
    workload: 'PERMISSIVE',
    ports: { 80: 'STRICT' },
    mesh: 'STRICT',
    namespace: 'UNSET',
    groups: [[`${PLAIN} to 80`]],
    keys: [CONVERTED],
  },
  {
    workload: 'DISABLE',
    ports: { 80: 'STRICT' },
    mesh: 'STRICT',
    namespace: 'UNSET',
    groups: [[`${PLAIN} to 80`]],
    keys: [CONVERTED],
  },
  {
    workload: 'UNSET',
    ports: { 80: 'STRICT' },
    mesh: 'STRICT',
    namespace: 'UNSET',
    groups: [],
    keys: [STATIC],
  },
];

test.for(CASES)(
  'mesh $mesh, namespace $namespace, workload $workload with $ports refuses $groups',
  ({ workload, ports, mesh, namespace, groups, keys }) => {
    const given = workloadPolicy(workload, ports);
    expect(groupsOf(given, mesh, namespace)).toEqual(groups);
    expect(keysOf(given, mesh, namespace)).toEqual(keys);
  },
);

test('the oldest policy of a level decides', () => {
  const own = [
    policy('shop', 'a-new', 'PERMISSIVE', '2026-02-02T00:00:00Z'),
    policy('shop', 'z-old', 'STRICT', '2026-01-01T00:00:00Z'),
  ];
  const inherited = inheritedPeerAuthentication([], own);
  expect(peerAuthenticationKeys({}, own, inherited, ROOT)).toEqual([STATIC]);
});
