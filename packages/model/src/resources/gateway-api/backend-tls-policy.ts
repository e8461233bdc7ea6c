import { z } from 'zod';
import { keyedList, objectOf, rules, stringMap } from '../field-types.ts';
import { condition } from '../meta.ts';
import { defineResource } from '../resource.ts';
import {
  group,
  hostname,
  kind,
  localObjectReference,
  objectName,
  parentReference,
  routeColumns,
  sectionName,
} from './references.ts';

const subjectAltName = z
  .object({
    type: z.enum(['Hostname', 'URI']).describe('Which of the fields below this name has.'),
    hostname: hostname.optional(),
    uri: z.string().min(1).max(253).optional(),
  })
  .meta(
    rules(
      [
        'hostname must be set when type is Hostname',
        "self.type == 'Hostname' ? has(self.hostname) : true",
      ],
      ['uri must be set when type is URI', "self.type == 'URI' ? has(self.uri) : true"],
    ),
  );

const validation = z
  .object({
    caCertificateRefs: z
      .array(localObjectReference)
      .max(8)
      .optional()
      .describe('ConfigMaps with `ca.crt`, PEM; the first counts.'),
    wellKnownCACertificates: z
      .string()
      .optional()
      .describe('`System`: those that the proxy brings.'),
    hostname: hostname.describe(
      'SNI, and what the certificate must be for unless names are given.',
    ),
    subjectAltNames: z.array(subjectAltName).max(5).optional(),
  })
  .meta(
    rules([
      'exactly one of caCertificateRefs or wellKnownCACertificates must be specified',
      "(has(self.caCertificateRefs) && size(self.caCertificateRefs) > 0) != (has(self.wellKnownCACertificates) && self.wellKnownCACertificates != '')",
    ]),
  );

const ancestorStatus = z.object({
  ancestorRef: parentReference,
  controllerName: z.string(),
  conditions: keyedList(condition, 'type').max(8).optional(),
});

/** Gateway API (GEP-1897): TLS from a gateway to its backends. */
export const backendTlsPolicy = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1'],
  kind: 'BackendTLSPolicy',
  plural: 'backendtlspolicies',
  singular: 'backendtlspolicy',
  shortNames: ['btlspolicy'],
  categories: ['gateway-api'],
  namespaced: true,
  subresources: { status: true },
  columns: [routeColumns.age],
  schema: objectOf({
    spec: z.object({
      targetRefs: z
        .array(z.object({ group, kind, name: objectName, sectionName: sectionName.optional() }))
        .min(1)
        .max(16),
      validation,
      options: stringMap.optional(),
    }),
    status: z.object({ ancestors: z.array(ancestorStatus).max(16) }).optional(),
  }),
});

/** The TypeScript type of `backendTlsPolicy`. */
export type BackendTLSPolicy = z.infer<typeof backendTlsPolicy.schema>;
