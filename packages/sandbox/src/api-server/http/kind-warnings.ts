/** What users of some kinds are told in `Warning` headers, which kubectl prints. */
import { type Exchange, warn } from './exchange.ts';
import type { ResourcePath } from './request-info.ts';

/** On every use. */
const deprecated: Readonly<Record<string, string>> = {
  '/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

/** On writes: the kinds that are stored, so that manifests apply, and that nothing in the sandbox acts on. */
const withoutEffect: Readonly<Record<string, string>> = {
  '/limitranges': 'the sandbox does not apply limit ranges',
  '/replicationcontrollers': 'the sandbox does not run replication controllers; use a Deployment',
  '/resourcequotas': 'the sandbox does not enforce quotas',
  'admissionregistration.k8s.io/validatingadmissionpolicies':
    'the sandbox does not enforce admission policies; webhooks are called',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings':
    'the sandbox does not enforce admission policies; webhooks are called',
  'apiregistration.k8s.io/apiservices': 'the sandbox does not serve aggregated APIs',
  'autoscaling/horizontalpodautoscalers': 'the sandbox does not scale workloads by itself',
};

const writes: ReadonlySet<string> = new Set(['create', 'update', 'patch']);

export function warnOfKind(
  { response, info }: Exchange,
  collection: string,
  { subresource }: ResourcePath,
): void {
  const isWrite = writes.has(info.verb) && subresource === '';
  const warnings = [deprecated[collection], isWrite ? withoutEffect[collection] : undefined];
  for (const warning of warnings) if (warning !== undefined) warn(response, warning);
}
