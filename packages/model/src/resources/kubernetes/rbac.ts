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

/** Kubernetes API: what may be done, anywhere. */
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

/** Kubernetes API: what may be done, in one namespace. */
export const role = defineResource({
  group: 'rbac.authorization.k8s.io',
  versions: ['v1'],
  kind: 'Role',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  schema: objectOf({ rules: z.array(policyRule).nullable().optional() }),
});

/** Kubernetes API: grants a role everywhere. */
export const clusterRoleBinding = defineResource({
  group: 'rbac.authorization.k8s.io',
  versions: ['v1'],
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  schema: objectOf({ subjects: z.array(subject).optional(), roleRef }),
});

/** Kubernetes API: grants a role in one namespace. */
export const roleBinding = defineResource({
  group: 'rbac.authorization.k8s.io',
  versions: ['v1'],
  kind: 'RoleBinding',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  schema: objectOf({ subjects: z.array(subject).optional(), roleRef }),
});

/** The TypeScript type of `policyRule`. */
export type PolicyRule = z.infer<typeof policyRule>;
/** The TypeScript type of `clusterRole`. */
export type ClusterRole = z.infer<typeof clusterRole.schema>;
/** The TypeScript type of `role`. */
export type Role = z.infer<typeof role.schema>;
/** The TypeScript type of `clusterRoleBinding`. */
export type ClusterRoleBinding = z.infer<typeof clusterRoleBinding.schema>;
/** The TypeScript type of `roleBinding`. */
export type RoleBinding = z.infer<typeof roleBinding.schema>;
