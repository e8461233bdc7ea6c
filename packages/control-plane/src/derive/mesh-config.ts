/**
 * The configuration of the mesh: key `mesh` of ConfigMap `istio` (spec control-plane 12), as far as it is read. What
 * else it says is named, so that nobody believes it to hold.
 */
import { loadAll } from 'js-yaml';
import type { LabelSelector } from './selectors.ts';

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
  /** Paths of fields that are there and not read, sorted. */
  readonly unread: readonly string[];
}

export const NO_MESH_CONFIG: MeshConfig = {
  trustDomain: null,
  rootNamespace: null,
  serviceEntryVisibility: null,
  outboundTrafficPolicy: 'ALLOW_ANY',
  unread: [],
};

/** Names the field at fault. */
class MeshConfigError extends Error {
  override readonly name = 'MeshConfigError';

  constructor(path: string, problem: string) {
    super(`mesh configuration: ${path} ${problem}`);
  }
}

/** Throws for what cannot be read: the last good configuration is better than half of a new one. */
export function parseMeshConfig(text: string): MeshConfig {
  const [document] = loadAll(text);
  const root = new Fields(document ?? {}, '');
  const visibility = root.object('serviceEntryVisibility');
  const config = {
    trustDomain: root.text('trustDomain'),
    rootNamespace: root.text('rootNamespace'),
    serviceEntryVisibility: visibility && visibilityRules(visibility),
    outboundTrafficPolicy: outboundPolicy(root.object('outboundTrafficPolicy')),
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

/** An object of the configuration; it knows which of its fields nobody has asked for. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #read = new Set<string>();
  readonly #parts: Fields[] = [];

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new MeshConfigError(path, 'is no object');
    }
    this.#values = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  path(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  /** Null if it is not there, or empty. */
  text(name: string): string | null {
    const value = this.#value(name) ?? '';
    if (typeof value !== 'string') throw new MeshConfigError(this.path(name), 'is no text');
    return value === '' ? null : value;
  }

  /** Null if it is not there. */
  object(name: string): Fields | null {
    const value = this.#value(name);
    return value === undefined ? null : this.#part(value, this.path(name));
  }

  list(name: string): Fields[] {
    const value = this.#value(name) ?? [];
    if (!Array.isArray(value)) throw new MeshConfigError(this.path(name), 'is no list');
    return value.map((item, index) => this.#part(item, `${this.path(name)}[${index}]`));
  }

  /** All of it, which counts as read. */
  all(): Readonly<Record<string, unknown>> {
    for (const name of Object.keys(this.#values)) this.#read.add(name);
    return this.#values;
  }

  unread(): string[] {
    const own = Object.keys(this.#values).filter((name) => !this.#read.has(name));
    return [...own.map((name) => this.path(name)), ...this.#parts.flatMap((part) => part.unread())];
  }

  #value(name: string): unknown {
    this.#read.add(name);
    return this.#values[name] ?? undefined;
  }

  #part(value: unknown, path: string): Fields {
    const part = new Fields(value, path);
    this.#parts.push(part);
    return part;
  }
}
