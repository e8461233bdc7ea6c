import { expect, test } from 'vitest';
import { type AddressedPod, policyTable } from './policy-rules.ts';

const pod = (namespace: string, app: string, address: string): AddressedPod => ({
  namespace,
  labels: { app },
  node: 'node-1',
  address,
  ports: app === 'server' ? { http: 8080 } : {},
});
const pods: readonly AddressedPod[] = [
  pod('shop', 'server', '10.244.1.2'),
  pod('shop', 'client', '10.244.1.3'),
  pod('other', 'client', '10.244.1.4'),
  { ...pod('kube-system', 'dns', '10.245.0.254'), node: '', translated: { 53: 10_053 } },
];
const namespaces = new Map([
  ['shop', {}],
  ['other', { team: 'other' }],
  ['kube-system', { 'kubernetes.io/metadata.name': 'kube-system' }],
]);

function chain(name: string, spec: object): string[] | null {
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'policy', namespace: 'shop' },
    spec: { podSelector: { matchLabels: { app: 'server' } }, policyTypes: ['Ingress'], ...spec },
  };
  const table = policyTable({ policies: [policy], pods, namespaces }, 'node-1');
  const body = new RegExp(`chain ${name} \\{\n([^}]*(?:\\{[^}]*\\}[^}]*)*)\n {2}\\}`).exec(
    table,
  )?.[1];
  return body?.split('\n').map((line) => line.trim()) ?? null;
}

const INGRESS = 'ingress-10.244.1.2';
const EGRESS = 'egress-10.244.1.2';

test.for([
  { what: 'without rules nothing comes in', chain: INGRESS, spec: {}, lines: ['drop'] },
  {
    what: 'what is no block, protocol or port lets nothing in, and spoils no table',
    chain: INGRESS,
    spec: {
      ingress: [
        { from: [{ ipBlock: { cidr: '0.0.0.0/0 accept; flush ruleset' } }] },
        { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', 'x'] } }] },
        { ports: [{ protocol: 'x; accept' }, { port: 'constructor' }] },
      ],
    },
    lines: ['ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } return', 'drop'],
  },
  {
    what: 'an empty rule lets all in',
    chain: INGRESS,
    spec: { ingress: [{}] },
    lines: ['return', 'drop'],
  },
  {
    what: 'pods of the same namespace at a named port',
    chain: INGRESS,
    spec: { ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 'http' }] }] },
    lines: ['ip saddr { 10.244.1.2, 10.244.1.3 } tcp dport 8080 return', 'drop'],
  },
  {
    what: 'pods of namespaces with a label, and addresses less some',
    chain: INGRESS,
    spec: {
      ingress: [
        {
          from: [
            { namespaceSelector: { matchLabels: { team: 'other' } } },
            { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
          ],
        },
      ],
    },
    lines: [
      'ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } return',
      'ip saddr { 10.244.1.4 } return',
      'drop',
    ],
  },
  {
    what: 'selectors that nobody fits let nobody in',
    chain: INGRESS,
    spec: { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'none' } } }] }] },
    lines: ['drop'],
  },
  {
    what: 'the DNS is port 53 in kube-system',
    chain: EGRESS,
    spec: {
      policyTypes: ['Egress'],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
            },
          ],
          ports: [{ port: 53, protocol: 'UDP' }],
        },
      ],
    },
    lines: ['ip daddr 10.245.0.254 udp dport 10053 return', 'drop'],
  },
  {
    what: 'a range of ports everywhere',
    chain: EGRESS,
    spec: { policyTypes: ['Egress'], egress: [{ ports: [{ port: 8000, endPort: 8100 }] }] },
    lines: [
      'tcp dport 8000-8100 return',
      'ip daddr 10.244.1.2 tcp dport 8000-8100 return',
      'ip daddr 10.245.0.254 tcp dport 8000-8100 return',
      'drop',
    ],
  },
])('$what', ({ chain: name, spec, lines }) => {
  expect(chain(name, spec)).toEqual(lines);
});

test('a policy says nothing of the other direction, nor of other pods', () => {
  expect(chain(EGRESS, { ingress: [] })).toBeNull();
  expect(chain('ingress-10.244.1.3', {})).toBeNull();
});
