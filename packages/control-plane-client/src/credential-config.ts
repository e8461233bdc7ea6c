import { type ConfigKeys, stringKey } from '@aquifer/runtime';

/** Where discovery and the certificate authority are in a cluster that nobody set up otherwise. */
export const CONTROL_PLANE_ADDRESS = 'istiod.istio-system.svc:15012';

/** Where Kubernetes mounts a pod's token. */
export const DEFAULT_TOKEN_PATH = '/var/run/secrets/tokens/istio-token';

/** How a proxy and the control plane know each other. */
export interface CredentialConfig {
  readonly rootCertPath: string;
  readonly tokenPath: string;
}

/** Files where Istio's pods have them. */
export const CREDENTIAL_KEYS: ConfigKeys<CredentialConfig> = {
  rootCertPath: stringKey(
    'XDS_ROOT_CA',
    'The roots that sign the control plane: a PEM file, PEM, or SYSTEM.',
    {
      default: '/var/run/secrets/istio/root-cert.pem',
    },
  ),
  tokenPath: stringKey('AUTH_TOKEN', 'File with the service-account token, or the token.', {
    default: DEFAULT_TOKEN_PATH,
  }),
};
