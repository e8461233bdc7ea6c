/** What users of deprecated kinds are told in `Warning` headers, which kubectl prints. */
import { type Exchange, warn } from './exchange.ts';

const deprecated: Readonly<Record<string, string>> = {
  '/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

export function warnOfKind({ response }: Exchange, collection: string): void {
  const warning = deprecated[collection];
  if (warning !== undefined) warn(response, warning);
}
