import { readFileSync } from 'node:fs';
import type { EchoIdentity } from './http-echo.ts';

const TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Who this pod is: from POD_NAME, POD_NAMESPACE, NODE_NAME and SERVICE_ACCOUNT, and else from its token. */
export function ownIdentity(env: NodeJS.ProcessEnv): EchoIdentity {
  const claims = tokenClaims();
  const known = (variable: string, claim: string | undefined): string =>
    env[variable] ?? claim ?? '';
  return {
    pod: known('POD_NAME', claims.pod?.name ?? env.HOSTNAME),
    namespace: known('POD_NAMESPACE', claims.namespace),
    node: known('NODE_NAME', claims.node?.name),
    serviceAccount: known('SERVICE_ACCOUNT', claims.serviceaccount?.name),
    version: known('VERSION', ''),
  };
}

/** The private claims of a bound service-account token (KEP-1205 and KEP-4193). */
interface KubernetesClaims {
  readonly namespace?: string;
  readonly node?: { readonly name?: string };
  readonly pod?: { readonly name?: string };
  readonly serviceaccount?: { readonly name?: string };
}

/** Without a token, or outside a cluster, there is nothing to know. */
function tokenClaims(): KubernetesClaims {
  try {
    const payload = readFileSync(TOKEN_FILE, 'utf8').split('.')[1] ?? '';
    return JSON.parse(Buffer.from(payload, 'base64url').toString())['kubernetes.io'] ?? {};
  } catch {
    return {};
  }
}
