/**
 * The configuration of the mesh: key `mesh` of ConfigMap `istio` (spec control-plane 12), as far as it is read. What
 * else it says is named, so that nobody believes it to hold.
 */
import type { LabelSelector } from '@aquifer/model/kubernetes';
import { loadAll } from 'js-yaml';
import { type ExtensionProvider, extensionProviders } from './extension-providers.ts';
import { Fields, MeshConfigError } from './mesh-config-fields.ts';
import { type ProxyStart, startIn, USUAL_START } from './proxy-start.ts';
import { type MeshTelemetry, meshTelemetry, USUAL_TELEMETRY } from './telemetry/mesh-telemetry.ts';

/** Who may look a ServiceEntry up: everybody, its own namespace, or nobody. */
export type Visibility = 'PUBLIC' | 'NAMESPACE' | 'NONE';

interface VisibilityPolicy {
  readonly visibility: Visibility;
  /** The policy holds for namespaces that one of them selects. */
  readonly namespaceSelectors: readonly LabelSelector[];
}

/** The first policy that holds decides. */
export interface VisibilityRules {
  readonly policies: readonly VisibilityPolicy[];
  readonly defaultVisibility: Visibility;
}

export interface MeshConfig {
  /** Null where the installation decides. */
  readonly trustDomain: string | null;
  readonly rootNamespace: string | null;
  /** Null if everything is public, and nothing is said about it. */
  readonly serviceEntryVisibility: VisibilityRules | null;
  /** What becomes of traffic of sidecars to what is not in the mesh, where no Sidecar says it. */
  readonly outboundTrafficPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** Services outside of the proxies that policies and telemetry name. */
  readonly extensionProviders: readonly ExtensionProvider[];
  readonly telemetry: MeshTelemetry;
  /** How proxies are started of which no ProxyConfig says otherwise. */
  readonly proxies: ProxyStart;
  /** Paths of fields that are there and not read, sorted. */
  readonly unread: readonly string[];
}

export const NO_MESH_CONFIG: MeshConfig = {
  trustDomain: null,
  rootNamespace: null,
  serviceEntryVisibility: null,
  outboundTrafficPolicy: 'ALLOW_ANY',
  extensionProviders: [],
  telemetry: USUAL_TELEMETRY,
  proxies: USUAL_START,
  unread: [],
};

/** Throws for what cannot be read: the last good configuration is better than half of a new one. */
export function parseMeshConfig(text: string): MeshConfig {
  const [document] = loadAll(text);
  const root = new Fields(document ?? {}, '');
  const defaults = root.object('defaultConfig');
  const visibility = root.object('serviceEntryVisibility');
  const config = {
    trustDomain: root.text('trustDomain'),
    rootNamespace: root.text('rootNamespace'),
    serviceEntryVisibility: visibility && visibilityRules(visibility),
    outboundTrafficPolicy: outboundPolicy(root.object('outboundTrafficPolicy')),
    extensionProviders: extensionProviders(root.list('extensionProviders')),
    telemetry: meshTelemetry(root, defaults),
    proxies: startIn(defaults),
  };
  return { ...config, unread: root.unread().toSorted() };
}

function outboundPolicy(fields: Fields | null): MeshConfig['outboundTrafficPolicy'] {
  const mode = fields?.text('mode') ?? (fields === null ? 'ALLOW_ANY' : 'REGISTRY_ONLY');
  if (mode === 'ALLOW_ANY' || mode === 'REGISTRY_ONLY') return mode;
  throw new MeshConfigError(
    'outboundTrafficPolicy.mode',
    `is neither ALLOW_ANY nor REGISTRY_ONLY: ${mode}`,
  );
}

function visibilityRules(fields: Fields): VisibilityRules {
  return {
    policies: fields.list('policies').map((policy) => ({
      visibility: visibilityOf(policy, 'visibility'),
      namespaceSelectors: policy
        .list('matchingRules')
        .map((rule) => (rule.object('namespaceSelector')?.all() ?? {}) as LabelSelector),
    })),
    defaultVisibility: visibilityOf(fields, 'defaultVisibility'),
  };
}

const VISIBILITIES: readonly string[] = ['PUBLIC', 'NAMESPACE', 'NONE'] satisfies Visibility[];

function visibilityOf(fields: Fields, name: string): Visibility {
  const text = fields.text(name) ?? 'PUBLIC';
  if (VISIBILITIES.includes(text)) return text as Visibility;
  throw new MeshConfigError(fields.path(name), `is none of ${VISIBILITIES.join(', ')}: ${text}`);
}
