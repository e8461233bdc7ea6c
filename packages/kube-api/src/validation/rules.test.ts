import { expect, test } from 'vitest';
import { kindRules } from './rules.ts';

const SLICES = 'discovery.k8s.io/endpointslices';
const AUTOSCALERS = 'autoscaling/horizontalpodautoscalers';
const POLICIES = 'networking.k8s.io/networkpolicies';

function mistakes(collection: string, object: Record<string, unknown>): string[] {
  const causes = kindRules[collection]?.(object, null) ?? [];
  return causes.map(({ field, message }) => `${field}: ${message}`);
}

const slice = (address: string) => ({ addressType: 'IPv4', endpoints: [{ addresses: [address] }] });
const policy = (rule: object) => ({ spec: { podSelector: {}, ingress: [rule] } });
const service = (spec: object) => ({
  spec: {
    type: 'ClusterIP',
    sessionAffinity: 'None',
    ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
    ...spec,
  },
});
const autoscaler = (spec: object) => ({
  spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, maxReplicas: 3, ...spec },
});
const ofCpu = (averageUtilization: number) => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});
const pod = (spec: object) => ({
  spec: { containers: [{ name: 'a', image: 'busybox' }], ...spec },
});
const volume = (source: object) => pod({ volumes: [{ name: 'v', ...source }] });
const mount = (path: object) =>
  pod({
    volumes: [{ name: 'v', emptyDir: {} }],
    containers: [
      { name: 'a', image: 'busybox', volumeMounts: [{ name: 'v', mountPath: '/v', ...path }] },
    ],
  });

test.for([
  [SLICES, slice('1.2.3.4\nadd table ip x'), 'endpoints[0].addresses[0]'],
  [SLICES, slice('::1'), 'must be a valid IPv4 address'],
  [SLICES, slice('127.0.0.1'), 'may not be in the loopback range'],
  [SLICES, slice('169.254.169.254'), 'may not be in the link-local range'],
  [SLICES, slice('0.0.0.0'), 'may not be unspecified'],
  [SLICES, { ...slice('10.0.0.1'), ports: [{ port: 70_000 }] }, 'ports[0].port'],
  [SLICES, { ...slice('10.0.0.1'), addressType: 'X' }, 'addressType: Unsupported value'],
  ['/endpoints', { subsets: [{ addresses: [{ ip: 'nope' }] }] }, 'subsets[0].addresses[0].ip'],
  [POLICIES, policy({ from: [{ ipBlock: { cidr: '0.0.0.0/0 accept' } }] }), 'ipBlock.cidr'],
  [
    POLICIES,
    policy({ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/8'] } }] }),
    'strict subset',
  ],
  [POLICIES, policy({ from: [{}] }), 'must specify a peer'],
  [POLICIES, policy({ ports: [{ protocol: 'x; drop' }] }), 'ingress[0].ports[0].protocol'],
  [POLICIES, policy({ ports: [{ port: 80, endPort: 70 }] }), 'greater than or equal to `port`'],
  [POLICIES, { spec: { policyTypes: ['x'] } }, 'spec.policyTypes[0]: Unsupported value'],
  ['/services', service({ clusterIP: '10.96.0.7 ; flush ruleset' }), 'spec.clusterIPs[0]'],
  ['/services', service({ externalIPs: ['127.0.0.1'] }), 'spec.externalIPs[0]'],
  [
    '/services',
    { ...service({}), status: { loadBalancer: { ingress: [{ ip: 'x' }] } } },
    'ingress[0].ip',
  ],
  [AUTOSCALERS, autoscaler({ minReplicas: 5 }), 'must be greater than or equal to `minReplicas`'],
  [AUTOSCALERS, autoscaler({ minReplicas: 0 }), 'spec.minReplicas'],
  [AUTOSCALERS, autoscaler({ maxReplicas: -1 }), 'spec.maxReplicas'],
  [AUTOSCALERS, autoscaler({ metrics: [{ type: 'constructor' }] }), 'spec.metrics[0].type'],
  [AUTOSCALERS, autoscaler({ metrics: [{ type: 'Pods' }] }), 'spec.metrics[0].pods: Required'],
  [AUTOSCALERS, autoscaler({ metrics: [ofCpu(0)] }), 'target.averageUtilization'],
  ['/configmaps', { data: { '..': 'x' } }, 'data[..]'],
  [
    '/pods',
    volume({ configMap: { name: 'c', items: [{ path: '../../etc/x' }] } }),
    'items[0].path',
  ],
  ['/pods', volume({ secret: { secretName: 'c', items: [{ path: '/etc/x' }] } }), 'items[0].path'],
  [
    '/pods',
    volume({ projected: { sources: [{ serviceAccountToken: { path: 'a/../../x' } }] } }),
    "must not contain '..'",
  ],
  ['/pods', volume({ hostPath: { path: '/a/../b' } }), 'hostPath.path: Invalid value'],
  ['/pods', mount({ subPath: '../..' }), 'volumeMounts[0].subPath'],
  ['/pods', pod({ hostname: 'a b' }), 'spec.hostname'],
  [
    '/pods',
    pod({ hostAliases: [{ ip: '1.2.3.4\nx', hostnames: ['a\nb'] }] }),
    'spec.hostAliases[0].ip',
  ],
  ['/pods', pod({ dnsConfig: { nameservers: ['x\ny'] } }), 'spec.dnsConfig.nameservers[0]'],
  ['/pods', pod({ dnsConfig: { searches: ['a\nb'] } }), 'spec.dnsConfig.searches[0]'],
  ['/pods', pod({ securityContext: { runAsUser: -1 } }), 'securityContext.runAsUser'],
] as const)('%s: %j is refused', ([collection, object, says]) => {
  expect(mistakes(collection, object).join()).toContain(says);
});

test.for([
  [SLICES, { ...slice('10.0.0.1'), ports: [{ port: 80, protocol: 'TCP' }, {}] }],
  [SLICES, { addressType: 'IPv6', endpoints: [{ addresses: ['2001:db8::1'] }] }],
  [
    POLICIES,
    policy({
      from: [{ ipBlock: { cidr: '::/0', except: ['2001:db8::/32'] } }, { podSelector: {} }],
    }),
  ],
  [POLICIES, policy({ ports: [{ port: 'http' }, { port: 1, endPort: 9, protocol: 'SCTP' }] })],
  ['/services', service({ clusterIP: 'None', clusterIPs: ['None'] })],
  [AUTOSCALERS, autoscaler({ minReplicas: 3, metrics: [ofCpu(80)] })],
  ['/configmaps', { data: { '.hidden': 'x', 'a..b': 'y' } }],
  ['/pods', volume({ configMap: { name: 'c', items: [{ path: 'a/b..c' }] } })],
  ['/pods', mount({ subPath: 'a/b', mountPath: '/x/../y' })],
  [
    '/pods',
    pod({
      dnsConfig: { searches: ['.', '_tcp.example.com.'], options: [{ name: 'ndots', value: '2' }] },
    }),
  ],
] as const)('%s: %j is allowed', ([collection, object]) => {
  expect(mistakes(collection, object)).toEqual([]);
});
