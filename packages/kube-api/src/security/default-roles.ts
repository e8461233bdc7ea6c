/** ClusterRoles that every cluster has, by name, and who has them (RBAC docs, "Default roles and role bindings"). */

/** A `PolicyRule`. */
type Rule = Readonly<Record<string, readonly string[]>>;

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];

function rule(apiGroup: string, resources: readonly string[], verbs: readonly string[]): Rule {
  return { apiGroups: [apiGroup], resources, verbs };
}

function withSubresources(resources: readonly string[], ...names: readonly string[]): string[] {
  return resources.flatMap((one) => [one, ...names.map((name) => `${one}/${name}`)]);
}

/** What people run: they may write all of it who may edit. */
const WORKLOADS: readonly Rule[] = [
  rule('apps', ['daemonsets'], []),
  rule('apps', withSubresources(['deployments', 'replicasets', 'statefulsets'], 'scale'), []),
  rule('autoscaling', ['horizontalpodautoscalers'], []),
  rule('batch', ['cronjobs', 'jobs'], []),
  rule('networking.k8s.io', ['ingresses', 'networkpolicies'], []),
  rule('policy', ['poddisruptionbudgets'], []),
];

const VIEW: readonly Rule[] = [
  rule(
    '',
    [
      ...['configmaps', 'endpoints', 'serviceaccounts', 'bindings', 'events', 'limitranges'],
      ...['namespaces', 'namespaces/status', 'pods/log'],
      ...withSubresources(['pods', 'services', 'persistentvolumeclaims'], 'status'),
      ...withSubresources(['replicationcontrollers'], 'scale', 'status'),
      ...withSubresources(['resourcequotas'], 'status'),
    ],
    READ,
  ),
  rule('discovery.k8s.io', ['endpointslices'], READ),
  rule('apps', ['controllerrevisions'], READ),
  ...WORKLOADS.map(({ apiGroups = [], resources = [] }) => ({
    apiGroups,
    resources: resources.flatMap((one) => (one.includes('/') ? [one] : [one, `${one}/status`])),
    verbs: READ,
  })),
];

const EDIT: readonly Rule[] = [
  ...VIEW,
  rule('', ['secrets', 'services/proxy', 'pods/attach', 'pods/exec', 'pods/portforward'], READ),
  rule('', ['pods/proxy'], READ),
  rule('', ['serviceaccounts'], ['impersonate']),
  rule('', ['pods/eviction', 'serviceaccounts/token'], ['create']),
  rule(
    '',
    [
      ...withSubresources(['pods'], 'attach', 'exec', 'portforward', 'proxy'),
      ...['configmaps', 'events', 'persistentvolumeclaims', 'secrets', 'serviceaccounts'],
      ...withSubresources(['replicationcontrollers'], 'scale'),
      ...withSubresources(['services'], 'proxy'),
    ],
    WRITE,
  ),
  ...WORKLOADS.map((one) => ({ ...one, verbs: WRITE })),
  rule('coordination.k8s.io', ['leases'], [...READ, ...WRITE]),
];

const RBAC = 'rbac.authorization.k8s.io';

const ADMIN: readonly Rule[] = [
  ...EDIT,
  rule('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
  rule(RBAC, ['roles', 'rolebindings'], [...READ, ...WRITE]),
];

export const DEFAULT_ROLES: Readonly<Record<string, readonly Rule[]>> = {
  'cluster-admin': [
    { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ],
  admin: ADMIN,
  edit: EDIT,
  view: VIEW,
  'system:discovery': [
    {
      nonResourceURLs: [
        '/api',
        '/api/*',
        '/apis',
        '/apis/*',
        '/openapi',
        '/openapi/*',
        '/version',
        '/version/',
      ],
      verbs: ['get'],
    },
    { nonResourceURLs: ['/healthz', '/livez', '/readyz'], verbs: ['get'] },
  ],
  'system:public-info-viewer': [
    { nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'], verbs: ['get'] },
  ],
  'system:basic-user': [
    rule(
      'authorization.k8s.io',
      ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
      ['create'],
    ),
    rule('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
  ],
  'system:auth-delegator': [
    rule('authentication.k8s.io', ['tokenreviews'], ['create']),
    rule('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
  ],
  'system:service-account-issuer-discovery': [
    {
      nonResourceURLs: [
        '/.well-known/openid-configuration',
        '/.well-known/openid-configuration/',
        '/openid/v1/jwks',
        '/openid/v1/jwks/',
      ],
      verbs: ['get'],
    },
  ],
};

/** Role name → groups that have it everywhere. */
export const DEFAULT_BINDINGS: Readonly<Record<string, readonly string[]>> = {
  'cluster-admin': ['system:masters'],
  'system:discovery': ['system:authenticated'],
  'system:basic-user': ['system:authenticated'],
  'system:public-info-viewer': ['system:authenticated', 'system:unauthenticated'],
  'system:service-account-issuer-discovery': ['system:serviceaccounts'],
};
