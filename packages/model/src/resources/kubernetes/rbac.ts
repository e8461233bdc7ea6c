import { z } from 'zod';
import { atomic, labelSelector, objectOf } from '../field-types.ts';
import { defineResource } from '../resource.ts';

const policyRule = z.object({
  verbs: z.array(z.string()),
  apiGroups: z.array(z.string()).optional(),
  resources: z.array(z.string()).optional(),
  resourceNames: z.array(z.string()).optional(),
  nonResourceURLs: z.array(z.string()).optional(),
});

const subject = atomic(
  z.object({
    kind: z.string().describe('User, Group or ServiceAccount.'),
    apiGroup: z.string().optional(),
    name: z.string(),
    namespace: z.string().optional(),
  }),
);

const roleRef = atomic(z.object({ apiGroup: z.string(), kind: z.string(), name: z.string() }));

export const clusterRole = defineResource({
  group: 'rbac.authorization.k8s.io',
  versions: ['v1'],
  kind: 'ClusterRole',
  plural: 'clusterroles',
  singular: 'clusterrole',
  namespaced: false,
  schema: objectOf({
    rules: z.array(policyRule).nullable().optional(),
    aggregationRule: z
      .object({ clusterRoleSelectors: z.array(labelSelector).optional() })
      .optional(),
  }),
});

export const role = defineResource({
  group: 'rbac.authorization.k8s.io',
  versions: ['v1'],
  kind: 'Role',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  schema: objectOf({ rules: z.array(policyRule).nullable().optional() }),
});

export const clusterRoleBinding = defineResource({
  group: 'rbac.authorization.k8s.io',
  versions: ['v1'],
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  schema: objectOf({ subjects: z.array(subject).optional(), roleRef }),
});

export const roleBinding = defineResource({
  group: 'rbac.authorization.k8s.io',
  versions: ['v1'],
  kind: 'RoleBinding',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  schema: objectOf({ subjects: z.array(subject).optional(), roleRef }),
});

export type PolicyRule = z.infer<typeof policyRule>;
export type ClusterRole = z.infer<typeof clusterRole.schema>;
export type Role = z.infer<typeof role.schema>;
export type ClusterRoleBinding = z.infer<typeof clusterRoleBinding.schema>;
export type RoleBinding = z.infer<typeof roleBinding.schema>;
