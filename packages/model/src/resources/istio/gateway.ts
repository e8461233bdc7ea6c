import { z } from 'zod';
import { objectOf, stringMap } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { networking } from './networking-group.ts';
import { ageColumn, istioStatus } from './selectors.ts';

const tlsVersion = z.enum(['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3']).optional();
const strings = z.array(z.string()).optional();

const certificateFiles = {
  serverCertificate: z.string().optional().describe('Path of a certificate, in the proxy.'),
  privateKey: z.string().optional().describe('Path of its key.'),
  caCertificates: z.string().optional().describe('Path of roots that clients are judged by.'),
};

const serverTls = z.object({
  ...certificateFiles,
  httpsRedirect: z.boolean().optional().describe('Plaintext is answered with 301 to https.'),
  mode: z
    .enum([
      'PASSTHROUGH',
      'SIMPLE',
      'MUTUAL',
      'AUTO_PASSTHROUGH',
      'ISTIO_MUTUAL',
      'OPTIONAL_MUTUAL',
    ])
    .optional()
    .describe('Default: PASSTHROUGH.'),
  credentialName: z.string().optional().describe('A Secret in the namespace of the gateway.'),
  credentialNames: strings,
  caCertCredentialName: z.string().optional(),
  caCrl: z.string().optional(),
  tlsCertificates: z.array(z.object(certificateFiles)).optional(),
  subjectAltNames: strings.describe('A client must have one of them.'),
  verifyCertificateSpki: strings,
  verifyCertificateHash: strings,
  minProtocolVersion: tlsVersion,
  maxProtocolVersion: tlsVersion,
  cipherSuites: strings,
});

const server = z.object({
  name: z.string().optional(),
  port: z.object({
    number: z.int().min(0).describe('A port of the Service in front of the gateway.'),
    protocol: z.string().describe('HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, TCP or TLS.'),
    name: z.string(),
    targetPort: z.int().min(0).optional(),
  }),
  bind: z.string().optional().describe('The address that is listened on. Default: any.'),
  hosts: z.array(z.string()).describe('As `namespace/name`: `.` is the own namespace, `*` any.'),
  tls: serverTls.optional(),
  defaultEndpoint: z.string().optional(),
});

/** Istio: servers of a gateway (networking.istio.io, not Gateway API). */
export const istioGateway = defineResource({
  ...networking,
  kind: 'Gateway',
  plural: 'gateways',
  singular: 'gateway',
  shortNames: ['gw'],
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({ servers: z.array(server).optional(), selector: stringMap.optional() })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `istioGateway`. */
export type IstioGateway = z.infer<typeof istioGateway.schema>;
