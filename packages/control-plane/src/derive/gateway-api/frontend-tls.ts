/** Certificates that a Gateway asks of the clients of its HTTPS listeners (`spec.tls.frontend`, GEP-91, spec l7 4.8). */
import type { ConfigMap, Gateway } from '@aquifer/model/resources';
import { namespaceOf } from '../object.ts';
import type { ListenerProblems, ListenerSpec, Problem, ServerTls } from './gateway-listener.ts';
import type { IsGranted } from './grants.ts';
import { rootsProblem } from './secret-certificate.ts';

export interface FrontendSources {
  configMap(namespace: string, name: string): ConfigMap | undefined;
  readonly isGranted: IsGranted;
}

type Frontend = NonNullable<NonNullable<Gateway['spec']['tls']>['frontend']>;
type Validation = NonNullable<Frontend['default']['validation']>;
type RootsRef = Validation['caCertificateRefs'][number];

interface AskingTls {
  readonly tls: ServerTls | null;
  readonly problems: Pick<ListenerProblems, 'Accepted' | 'ResolvedRefs'>;
}

/** `tls` as the listener itself has it. A listener that should ask and cannot lets nobody in, rather than everybody. */
export function withFrontend(
  tls: ServerTls | null,
  { protocol, port }: Pick<ListenerSpec, 'protocol' | 'port'>,
  gateway: Gateway,
  sources: FrontendSources,
): AskingTls {
  const validation = validationAt(port, gateway);
  if (protocol !== 'HTTPS' || validation === undefined) return { tls, problems: {} };
  const { caCertificateRefs: refs, mode = 'AllowValidOnly' } = validation;
  const [ref] = refs;
  if (mode !== 'AllowValidOnly') return refused(`mode ${mode} is not supported`);
  if (tls !== null && tls.mode !== 'SIMPLE') {
    return refused('tls.options of the listener ask for certificates of clients as well');
  }
  if (ref === undefined || refs.length > 1) {
    return refused('caCertificateRefs must be exactly one');
  }
  const namespace = ref.namespace ?? namespaceOf(gateway);
  const problem = referenceProblem(ref, namespace, gateway, sources);
  if (problem !== null) {
    const { message } = problem;
    const accepted = { reason: 'NoValidCACertificate', message };
    return { tls: null, problems: { Accepted: accepted, ResolvedRefs: problem } };
  }
  if (tls === null) return { tls, problems: {} };
  const caCertCredentialName = `configmap://${namespace}/${ref.name}`;
  return { tls: { ...tls, mode: 'MUTUAL', caCertCredentialName }, problems: {} };
}

/** What is said of a port counts instead of the default, even if it is nothing. */
function validationAt(port: number, { spec }: Gateway): Validation | undefined {
  const { default: usual, perPort = [] } = spec.tls?.frontend ?? {};
  const own = perPort.find((one) => one.port === port);
  return own === undefined ? usual?.validation : own.tls.validation;
}

function refused(text: string): AskingTls {
  const message = `spec.tls.frontend of the Gateway: ${text}`;
  return { tls: null, problems: { Accepted: { reason: 'UnsupportedValue', message } } };
}

function referenceProblem(
  { group, kind, name }: RootsRef,
  namespace: string,
  gateway: Gateway,
  { configMap, isGranted }: FrontendSources,
): Problem | null {
  const said = `invalid CA certificate reference ${group}/${kind}/${name}.${namespace}`;
  if (group !== '' || kind !== 'ConfigMap') {
    return { reason: 'InvalidCACertificateKind', message: `${said}, only ConfigMap is allowed` };
  }
  const owner = { kind: 'Gateway', namespace: namespaceOf(gateway) };
  if (!isGranted(owner, { kind, namespace, name })) {
    const message = `${said}, not accessible to a Gateway in namespace "${owner.namespace}" (missing a ReferenceGrant?)`;
    return { reason: 'RefNotPermitted', message };
  }
  const found = configMap(namespace, name);
  const problem = found === undefined ? 'not found' : rootsProblem(found);
  return problem === null
    ? null
    : { reason: 'InvalidCACertificateRef', message: `${said}, ${problem}` };
}
