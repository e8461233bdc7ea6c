import { readFileSync } from 'node:fs';
import type { EnvSource, ParsedConfig } from '@aquifer/runtime';

const MESH_FILE = './etc/istio/config/mesh';

/** The parts of Istio's ProxyConfig that ztunnel reads, and the variables that mean the same (spec ztunnel 1.6). */
const FIELDS: Readonly<Record<string, string>> = {
  discoveryAddress: 'XDS_ADDRESS',
  proxyAdminPort: 'ADMIN_PORT',
  statsPort: 'STATS_PORT',
  concurrency: 'ZTUNNEL_WORKER_THREADS',
};
const METADATA_PREFIX = 'ISTIO_META_';

/**
 * The environment, completed by what the mesh file says under `defaultConfig` and, before that, by `PROXY_CONFIG`. A file
 * that is not there says nothing; one that cannot be read is a mistake.
 */
export async function withProxyConfig(
  env: EnvSource,
  meshFile: string = MESH_FILE,
): Promise<ParsedConfig<EnvSource>> {
  const sources = [
    { key: meshFile, text: readIfThere(meshFile), member: 'defaultConfig' },
    { key: 'PROXY_CONFIG', text: env.PROXY_CONFIG ?? '', member: null },
  ];
  let added: Record<string, string> = {};
  for (const { key, text, member } of sources) {
    if (text === '') continue;
    try {
      added = { ...added, ...(await variablesOf(text, member)) };
    } catch (error) {
      return { ok: false, error: [{ key, message: (error as Error).message }] };
    }
  }
  const set = Object.entries(env).filter(([, value]) => value !== undefined && value !== '');
  return { ok: true, value: { ...env, ...added, ...Object.fromEntries(set) } };
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function variablesOf(text: string, member: string | null): Promise<Record<string, string>> {
  // Loaded when it is needed: hardly anybody has such a configuration.
  const { parse } = await import('yaml');
  const document: unknown = parse(text);
  const config = member === null ? document : objectOf(document, 'the file')[member];
  const variables: Record<string, string> = {};
  for (const [field, value] of Object.entries(objectOf(config ?? {}, 'the configuration'))) {
    const variable = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
    if (variable !== undefined) variables[variable] = String(value);
    if (field !== 'proxyMetadata') continue;
    for (const [key, entry] of Object.entries(objectOf(value, field))) {
      const name = key.startsWith(METADATA_PREFIX) ? key : `${METADATA_PREFIX}${key}`;
      variables[name] = String(entry);
    }
  }
  return variables;
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${what} is not a mapping`);
  }
  return value as Record<string, unknown>;
}
