import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigKeys, stringKey } from '@aquifer/runtime';
import {
  CONTROL_PLANE_ADDRESS,
  CREDENTIAL_KEYS,
  type CredentialConfig,
} from '../credential-config.ts';
import { CsrClient } from '../csr-client.ts';

export interface CertificateFilesConfig extends CredentialConfig {
  readonly outputDirectory: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly trustDomain: string;
  readonly address: string;
}

/** Every variable that the program reads. */
export const CERTIFICATE_FILES_CONFIG: ConfigKeys<CertificateFilesConfig> = {
  outputDirectory: stringKey('OUTPUT_DIRECTORY', 'Existing directory for the files.'),
  namespace: stringKey('POD_NAMESPACE', "Namespace of this program's pod."),
  serviceAccount: stringKey('SERVICE_ACCOUNT', 'Service account that the pod runs as.'),
  trustDomain: stringKey('TRUST_DOMAIN', 'Trust domain of the mesh.', {
    default: 'cluster.local',
  }),
  address: stringKey('CA_ADDR', 'host:port of the certificate authority.', {
    default: CONTROL_PLANE_ADDRESS,
  }),
  ...CREDENTIAL_KEYS,
  rootCertPath: {
    ...CREDENTIAL_KEYS.rootCertPath,
    doc: 'PEM file with the roots that sign the authority.',
  },
};

/**
 * Gets a certificate for the pod's own service account and writes it as PEM for a proxy that reads files:
 * `cert-chain.pem`, `key.pem` and `root-cert.pem`, readable by this user only. Throws if the authority refuses.
 */
export async function writeCertificateFiles(config: CertificateFilesConfig): Promise<void> {
  const { outputDirectory, trustDomain, namespace, serviceAccount, ...endpoint } = config;
  const client = new CsrClient({
    endpoint: { ...endpoint, serverName: null, clusterId: 'Kubernetes', headers: {} },
    ttlSeconds: TTL_SECONDS,
    impersonate: false,
  });
  try {
    const { key, chain, roots } = await client.sign(
      `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
    );
    const files = { 'cert-chain.pem': chain, 'key.pem': key, 'root-cert.pem': roots };
    for (const [name, pem] of Object.entries(files)) {
      await writeFile(join(outputDirectory, name), pem, { mode: 0o600 });
    }
  } finally {
    client.close();
  }
}

const TTL_SECONDS = 86_400;
