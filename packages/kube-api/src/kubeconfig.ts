import { stringify } from 'yaml';
import type { KeyPair } from './security/certificates.ts';

interface KubeconfigOptions {
  readonly serverUrl: string;
  readonly caPem: string;
  readonly client: KeyPair;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** A kubeconfig (YAML) with one context, `aquifer`. */
export function kubeconfigOf({ serverUrl, caPem, client }: KubeconfigOptions): string {
  const name = 'aquifer';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name, cluster: { server: serverUrl, 'certificate-authority-data': base64(caPem) } },
    ],
    users: [
      {
        name,
        user: {
          'client-certificate-data': base64(client.certificatePem),
          'client-key-data': base64(client.keyPem),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  });
}
