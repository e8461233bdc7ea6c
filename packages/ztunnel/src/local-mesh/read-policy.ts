import type {
  Authorization,
  AuthorizationMatch,
  ServiceAccountMatch,
  StringMatch,
} from '@aquifer/model';
import { Fields, LocalMeshError, mistake, readCidr, readCount, readText } from './fields.ts';

const SCOPES = {
  Global: 'global',
  Namespace: 'namespace',
  WorkloadSelector: 'workload-selector',
} as const;

/** One policy of a local file: the form of the config dump. */
export function readPolicy(value: unknown, path: string): Authorization {
  const fields = new Fields(value, path);
  const policy: Authorization = {
    name: fields.text('name'),
    namespace: fields.text('namespace'),
    scope: fields.choice('scope', SCOPES),
    action: fields.choice('action', { Allow: 'allow', Deny: 'deny' } as const),
    groups: fields.list('rules', listOf(listOf(readMatch)), true),
    dryRun: fields.flag('dryRun'),
  };
  fields.end();
  return policy;
}

function listOf<T>(read: (item: unknown, path: string) => T) {
  return (value: unknown, path: string): T[] => {
    if (!Array.isArray(value)) throw mistake(path, 'a list', value);
    return value.map((item, i) => read(item, `${path}[${i}]`));
  };
}

function readMatch(value: unknown, path: string): AuthorizationMatch {
  const fields = new Fields(value, path);
  const match: AuthorizationMatch = {
    namespaces: fields.list('namespaces', readStringMatch),
    notNamespaces: fields.list('notNamespaces', readStringMatch),
    principals: fields.list('principals', readStringMatch),
    notPrincipals: fields.list('notPrincipals', readStringMatch),
    serviceAccounts: fields.list('serviceAccounts', readServiceAccount),
    notServiceAccounts: fields.list('notServiceAccounts', readServiceAccount),
    sourceIps: fields.list('sourceIps', readCidr),
    notSourceIps: fields.list('notSourceIps', readCidr),
    destinationIps: fields.list('destinationIps', readCidr),
    notDestinationIps: fields.list('notDestinationIps', readCidr),
    destinationPorts: fields.list('destinationPorts', readCount),
    notDestinationPorts: fields.list('notDestinationPorts', readCount),
  };
  fields.end();
  return match;
}

/** `{Exact: a}`, `{Prefix: a}`, `{Suffix: a}` or `{Presence: []}`. */
function readStringMatch(value: unknown, path: string): StringMatch {
  const [entry, ...more] = Object.entries((value ?? {}) as object) as [string, unknown][];
  if (entry === undefined || more.length > 0) {
    throw new LocalMeshError(`${path}: expected one of Exact, Prefix, Suffix, Presence`);
  }
  const [kind, text] = entry;
  if (kind === 'Presence') return { kind: 'presence' };
  const kinds = { Exact: 'exact', Prefix: 'prefix', Suffix: 'suffix' } as const;
  const known = new Fields({ kind }, path).choice('kind', kinds);
  return { kind: known, value: readText(text, `${path}.${kind}`) };
}

function readServiceAccount(value: unknown, path: string): ServiceAccountMatch {
  const fields = new Fields(value, path);
  const match = {
    namespace: fields.text('namespace'),
    serviceAccount: fields.text('serviceAccount'),
  };
  fields.end();
  return match;
}
