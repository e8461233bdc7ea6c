/** TLS of a listener as a server of Istio's own Gateway would say it (spec l7 4.8). */
import type { Secret } from '@aquifer/model/resources';
import type { ListenerOwner, ListenerSpec, Problem, ServerTls } from './gateway-listener.ts';
import type { IsGranted } from './grants.ts';
import { certificateProblem } from './secret-certificate.ts';

/** What TLS depends on besides the listener. */
export interface TlsSources {
  secret(namespace: string, name: string): Secret | undefined;
  readonly isGranted: IsGranted;
}

type ListenerTls = NonNullable<ListenerSpec['tls']>;
type CertificateRef = NonNullable<ListenerTls['certificateRefs']>[number];

interface ReadTls {
  readonly tls: ServerTls | null;
  readonly problem: Problem | null;
}

const OPTION_PREFIX = 'gateway.istio.io/';
const MODE_OPTION = 'gateway.istio.io/tls-terminate-mode';
const MAX_CERTIFICATES = 2;

/** Without a certificate that can be used there is a problem; with one of two the other is let go. */
export function listenerTls(
  { protocol, tls }: ListenerSpec,
  owner: ListenerOwner,
  sources: TlsSources,
): ReadTls {
  if (protocol !== 'HTTPS' && protocol !== 'TLS') return { tls: null, problem: null };
  if (tls === undefined) return failed('InvalidCertificateRef', `${protocol} needs tls`);
  if (tls.mode === 'Passthrough') return { tls: { mode: 'PASSTHROUGH' }, problem: null };
  const options = tls.options ?? {};
  const strange = Object.keys(options).find(
    (name) => name.startsWith(OPTION_PREFIX) && name !== MODE_OPTION,
  );
  if (strange !== undefined)
    return failed('UnsupportedValue', `tls.options: ${strange} is unknown`);
  const asked = options[MODE_OPTION];
  if (asked === 'ISTIO_MUTUAL') return { tls: { mode: 'ISTIO_MUTUAL' }, problem: null };
  const mode = MODES.get(asked ?? '');
  if (mode === undefined) {
    const message = `tls.options: ${MODE_OPTION} ${JSON.stringify(asked)} is not supported`;
    return failed('UnsupportedValue', message);
  }
  return ended(tls, mode, owner, sources);
}

const MODES: ReadonlyMap<string, 'SIMPLE' | 'MUTUAL' | 'OPTIONAL_MUTUAL'> = new Map([
  ['', 'SIMPLE'],
  ['MUTUAL', 'MUTUAL'],
  ['OPTIONAL_MUTUAL', 'OPTIONAL_MUTUAL'],
]);

function failed(reason: string, message: string): ReadTls {
  return { tls: null, problem: { reason, message } };
}

function ended(
  { certificateRefs = [] }: ListenerTls,
  mode: NonNullable<ServerTls['mode']>,
  owner: ListenerOwner,
  sources: TlsSources,
): ReadTls {
  if (certificateRefs.length > MAX_CERTIFICATES) {
    const message = 'TLS mode can only support up to 2 server certificates';
    return failed('InvalidCertificateRef', message);
  }
  const problems = certificateRefs.map((ref) => referenceProblem(ref, owner, sources));
  const names = certificateRefs
    .filter((_, index) => problems[index] === null)
    .map((ref) => credentialName(ref.namespace ?? owner.namespace, ref.name));
  const [only, second] = names;
  if (only === undefined) {
    const found = problems.filter((problem) => problem !== null);
    const { reason = 'InvalidCertificateRef' } = found[0] ?? {};
    const message = found.map((problem) => problem.message).join('; ');
    return failed(reason, message || 'there is no certificate');
  }
  const tls = second === undefined ? { credentialName: only } : { credentialNames: names };
  return { tls: { mode, ...tls }, problem: null };
}

/** Which a gateway is given if its Gateway may refer to it. */
function credentialName(namespace: string, name: string): string {
  return `kubernetes-gateway://${namespace}/${name}`;
}

function referenceProblem(
  ref: CertificateRef,
  owner: ListenerOwner,
  { secret, isGranted }: TlsSources,
): Problem | null {
  const { group = '', kind = 'Secret', name, namespace = owner.namespace } = ref;
  const said = `invalid certificate reference ${group}/${kind}/${name}.${ref.namespace ?? ''}`;
  const invalid = (text: string): Problem => {
    return { reason: 'InvalidCertificateRef', message: `${said}, ${text}` };
  };
  if (group !== '' || kind !== 'Secret') return invalid('only secret is allowed');
  // Before it is said what is there: that is for those who may know.
  if (!isGranted(owner, { kind: 'Secret', namespace, name })) {
    return {
      reason: 'RefNotPermitted',
      message: `certificateRef ${name}/${namespace} not accessible to a Gateway in namespace "${owner.namespace}" (missing a ReferenceGrant?)`,
    };
  }
  const found = secret(namespace, name);
  if (found === undefined) return invalid(`secret ${namespace}/${name} not found`);
  const problem = certificateProblem(found);
  return problem === null ? null : invalid(problem);
}
