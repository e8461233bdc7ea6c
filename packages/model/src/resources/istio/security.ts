import { z } from 'zod';
import { objectOf, rules } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import {
  ageColumn,
  istioDuration,
  istioStatus,
  policyTargetReference,
  targetOrSelector,
  workloadSelector,
} from './selectors.ts';

const security = {
  group: 'security.istio.io',
  versions: ['v1', 'v1beta1'],
  namespaced: true,
} as const;
const securityCategories = ['istio-io', 'security-istio-io'];
const names = z.array(z.string()).optional();

const source = z.object({
  principals: names.describe(
    'Optional. A list of peer identities derived from the peer certificate.',
  ),
  notPrincipals: names,
  requestPrincipals: names.describe('Optional. A list of request identities derived from the JWT.'),
  notRequestPrincipals: names,
  namespaces: names.describe('Optional. A list of namespaces derived from the peer certificate.'),
  notNamespaces: names,
  serviceAccounts: names.describe(
    'Optional. A list of service accounts, `name` or `namespace/name`.',
  ),
  notServiceAccounts: names,
  ipBlocks: names.describe('Optional. A list of IP blocks, populated from the packet.'),
  notIpBlocks: names,
  remoteIpBlocks: names,
  notRemoteIpBlocks: names,
});

const operation = z.object({
  hosts: names.describe('Optional. A list of hosts as specified in the HTTP request.'),
  notHosts: names,
  ports: names.describe('Optional. A list of ports as specified in the connection.'),
  notPorts: names,
  methods: names.describe('Optional. A list of methods as specified in the HTTP request.'),
  notMethods: names,
  paths: names.describe('Optional. A list of paths as specified in the HTTP request.'),
  notPaths: names,
});

const authorizationCondition = z.object({
  key: z.string().describe('The name of an Istio attribute.'),
  values: names.describe('Optional. A list of allowed values for the attribute.'),
  notValues: names.describe('Optional. A list of negative match of values for the attribute.'),
});

const authorizationRule = z.object({
  from: z
    .array(z.object({ source: source.optional() }))
    .max(512)
    .optional(),
  to: z
    .array(z.object({ operation: operation.optional() }))
    .max(512)
    .optional(),
  when: z.array(authorizationCondition).optional(),
});

/** Istio: who may do what to workloads, services and gateways. */
export const authorizationPolicy = defineResource({
  ...security,
  kind: 'AuthorizationPolicy',
  plural: 'authorizationpolicies',
  singular: 'authorizationpolicy',
  shortNames: ['ap'],
  categories: securityCategories,
  subresources: { status: true },
  columns: [
    {
      name: 'Action',
      type: 'string',
      jsonPath: '.spec.action',
      description: 'The operation to take.',
    },
    ageColumn,
  ],
  schema: objectOf({
    spec: z
      .object({
        selector: workloadSelector
          .optional()
          .describe('Optional. The selector decides where to apply the authorization policy.'),
        targetRef: policyTargetReference.optional(),
        targetRefs: z.array(policyTargetReference).max(16).optional(),
        rules: z
          .array(authorizationRule)
          .max(512)
          .optional()
          .describe('Optional. A list of rules to match the request.'),
        action: z
          .enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'])
          .optional()
          .describe('Optional.\n\nValid Options: ALLOW, DENY, AUDIT, CUSTOM'),
        provider: z
          .object({ name: z.string().optional() })
          .optional()
          .describe('Specifies detailed configuration of the CUSTOM action.'),
      })
      .meta(targetOrSelector)
      .optional(),
    status: istioStatus.optional(),
  }),
});

const mutualTls = z.object({
  mode: z
    .enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'])
    .optional()
    .describe(
      'Defines the mTLS mode used for peer authentication.\n\nValid Options: DISABLE, PERMISSIVE, STRICT',
    ),
});

/** Istio: whether workloads take plain text, mutual TLS or both. */
export const peerAuthentication = defineResource({
  ...security,
  kind: 'PeerAuthentication',
  plural: 'peerauthentications',
  singular: 'peerauthentication',
  shortNames: ['pa'],
  categories: securityCategories,
  subresources: { status: true },
  columns: [
    {
      name: 'Mode',
      type: 'string',
      jsonPath: '.spec.mtls.mode',
      description: 'Defines the mTLS mode used for peer authentication.',
    },
    ageColumn,
  ],
  schema: objectOf({
    spec: z
      .object({
        selector: workloadSelector.optional(),
        mtls: mutualTls.optional().describe('Mutual TLS settings for workload.'),
        portLevelMtls: z
          .record(z.string(), mutualTls)
          .meta({
            maxProperties: 65_535,
            ...rules([
              'port must be between 1-65535',
              'self.all(key, 0 < int(key) && int(key) <= 65535)',
            ]),
          })
          .optional()
          .describe('Port specific mutual TLS settings. Needs a selector.'),
      })
      .meta(
        rules([
          'portLevelMtls requires selector',
          '(has(self.selector) && has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0) || !has(self.portLevelMtls)',
        ]),
      )
      .optional(),
    status: istioStatus.optional(),
  }),
});

const jwtHeader = z.object({ name: z.string().min(1), prefix: z.string().optional() });

const jwtRule = z
  .object({
    issuer: z.string().min(1).optional().describe('Identifies the issuer that issued the JWT.'),
    audiences: z.array(z.string()).optional(),
    jwksUri: z.string().max(2048).optional().describe('URL of the provider’s public key set.'),
    jwks_uri: z.string().optional().describe('Deprecated: use jwksUri.'),
    jwks: z.string().optional().describe('JSON Web Key Set of public keys, inline.'),
    fromHeaders: z.array(jwtHeader).optional(),
    fromParams: z.array(z.string()).optional(),
    fromCookies: z.array(z.string()).optional(),
    outputPayloadToHeader: z.string().optional(),
    forwardOriginalToken: z.boolean().optional(),
    outputClaimToHeaders: z.array(z.object({ header: z.string(), claim: z.string() })).optional(),
    timeout: istioDuration.optional(),
    spaceDelimitedClaims: z.array(z.string()).optional(),
  })
  .meta(
    rules([
      'only one of jwks or jwksUri can be set',
      '(has(self.jwksUri) ? 1 : 0) + (has(self.jwks_uri) ? 1 : 0) + (has(self.jwks) ? 1 : 0) <= 1',
    ]),
  );

/** Istio: which JWTs are accepted. */
export const requestAuthentication = defineResource({
  ...security,
  kind: 'RequestAuthentication',
  plural: 'requestauthentications',
  singular: 'requestauthentication',
  shortNames: ['ra'],
  categories: securityCategories,
  subresources: { status: true },
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({
        selector: workloadSelector.optional(),
        targetRef: policyTargetReference.optional(),
        targetRefs: z.array(policyTargetReference).max(16).optional(),
        jwtRules: z.array(jwtRule).max(4096).optional(),
      })
      .meta(targetOrSelector)
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `authorizationPolicy`. */
export type AuthorizationPolicy = z.infer<typeof authorizationPolicy.schema>;
/** The TypeScript type of `authorizationRule`. */
export type AuthorizationRule = z.infer<typeof authorizationRule>;
/** The TypeScript type of `peerAuthentication`. */
export type PeerAuthentication = z.infer<typeof peerAuthentication.schema>;
/** The TypeScript type of `requestAuthentication`. */
export type RequestAuthentication = z.infer<typeof requestAuthentication.schema>;
