import { SIDECAR_CERTIFICATES, type SidecarOptions } from './sidecar.ts';

const CONTEXTS = { upstream: 'UpstreamTlsContext', downstream: 'DownstreamTlsContext' } as const;
type Side = keyof typeof CONTEXTS;

const FILES = {
  chain: `${SIDECAR_CERTIFICATES}/cert-chain.pem`,
  key: `${SIDECAR_CERTIFICATES}/key.pem`,
  roots: `${SIDECAR_CERTIFICATES}/root-cert.pem`,
};

/** Mutual TLS with the sidecar on the other side, whose identity has to be one of the namespace. */
export function sidecarTls(side: Side, options: SidecarOptions): object {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${CONTEXTS[side]}`,
      ...(side === 'downstream' && { require_client_certificate: true }),
      common_tls_context: {
        alpn_protocols:
          side === 'downstream' ? ['h2', 'http/1.1'] : ['istio-http/1.1', 'istio', 'http/1.1'],
        // The upstream's default maximum is TLS 1.2.
        tls_params: {
          tls_minimum_protocol_version: 'TLSv1_3',
          tls_maximum_protocol_version: 'TLSv1_3',
        },
        ...(options.engine === 'envoy' ? envoyFiles(options) : namedFiles(side, options)),
      },
    },
  };
}

function envoyFiles({ trustDomain, namespace }: SidecarOptions): object {
  const inside = { prefix: `spiffe://${trustDomain}/ns/${namespace}/sa/` };
  return {
    tls_certificates: [
      { certificate_chain: { filename: FILES.chain }, private_key: { filename: FILES.key } },
    ],
    validation_context: {
      trusted_ca: { filename: FILES.roots },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: inside }],
    },
  };
}

/** Secrets that are named by their files, as Istio's agent knows them; identities by their whole names. */
function namedFiles(side: Side, { trustDomain, namespace, accounts }: SidecarOptions): object {
  const identities = accounts.map((account) => ({
    exact: `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`,
  }));
  return {
    tls_certificate_sds_secret_configs: [{ name: `file-cert:${FILES.chain}~${FILES.key}` }],
    combined_validation_context: {
      // Clients are judged by the policy.
      default_validation_context:
        side === 'upstream' ? { match_subject_alt_names: identities } : {},
      validation_context_sds_secret_config: { name: `file-root:${FILES.roots}` },
    },
  };
}
