import type { Authorization, Service, ServicePort, Workload } from '@aquifer/model';
import { cidrContains, policyKey, serviceKey } from '@aquifer/model';
import { decodeAuthorization, decodeService, decodeWorkload } from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { standIn } from './policy-stand-in.ts';
import type { RejectedResource, ResourceBatch } from './subscription.ts';

/** A workload that serves a service, with its own port mapping. */
export interface Endpoint {
  readonly workloadUid: string;
  readonly ports: readonly ServicePort[];
  readonly status: Workload['status'];
}

/** What decisions may read. A decision is synchronous, so it sees one consistent state. */
export interface WorkloadView {
  workload(uid: string): Workload | null;
  /** Host-network workloads are never found by address (spec ztunnel 5.8). */
  workloadByAddress(network: string, ip: string): Workload | null;
  workloadByPod(namespace: string, name: string): Workload | null;
  service(key: string): Service | null;
  /** The best service for a virtual address, as seen from a namespace (spec ztunnel 3.3). */
  serviceByVip(network: string, ip: string, clientNamespace: string): Service | null;
  servicesByHostname(hostname: string): readonly Service[];
  endpoints(key: string): ReadonlyMap<string, Endpoint>;
  policiesFor(workload: Workload): readonly Authorization[];
}

/** What changed, for those who must look again. */
export interface StoreChange {
  readonly policies: boolean;
  readonly workloads: boolean;
}

const NO_ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map();

/**
 * The proxy's picture of the mesh, built from WDS. Always: a batch is applied as a whole before anyone reads, and a
 * resource that does not decode leaves its last good version in place. A policy that is not known denies: one that does
 * not decode and has no good version, and one that a workload lists though it has not come within `settlePolicies`.
 */
export class WorkloadStore implements WorkloadView {
  readonly #workloads = new Map<string, Workload>();
  readonly #byAddress = new Map<string, Workload[]>();
  readonly #byPod = new Map<string, Workload>();
  readonly #services = new Map<string, Service>();
  readonly #byVip = new Map<string, Service[]>();
  readonly #byCidr = new Set<Service>();
  readonly #byHostname = new Map<string, Service[]>();
  readonly #endpoints = new Map<string, Map<string, Endpoint>>();
  readonly #policies = new Map<string, Authorization>();
  readonly #policiesByNamespace = new Map<string, Set<Authorization>>();
  /** Listed policies that may be on their way, or whose removal from the list may be: since the last settling, and before. */
  #missing = new Set<string>();
  #missingForLong = new Set<string>();
  /** Listed policies that did not come in time: whoever lists them later gets no time again. */
  #overdue = new Set<string>();
  #hasPolicies = false;
  readonly #listeners = new Set<(change: StoreChange) => void>();

  /** Applies Address resources; removals come first. */
  applyAddresses(batch: ResourceBatch): readonly RejectedResource[] {
    for (const name of batch.removed) {
      if (this.#workloads.has(name)) this.#removeWorkload(name);
      else this.#removeService(name);
    }
    const rejected: RejectedResource[] = [];
    for (const { name, body } of batch.resources) {
      const reason = this.#upsertAddress(body);
      if (reason !== null) rejected.push({ name, reason });
    }
    this.#announce({ policies: false, workloads: true });
    return rejected;
  }

  /** Applies Authorization resources, keyed by their xDS name. */
  applyPolicies(batch: ResourceBatch): readonly RejectedResource[] {
    for (const name of batch.removed) this.#removePolicy(name);
    const rejected: RejectedResource[] = [];
    for (const { name, body } of batch.resources) {
      const decoded = decodeSafely(() =>
        decodeAuthorization(fromBinary(AuthorizationSchema, body)),
      );
      if (decoded.ok) this.#setPolicy(name, decoded.value);
      else {
        rejected.push({ name, reason: decoded.error });
        if (!this.#policies.has(name)) this.#setPolicy(name, standIn(name, body));
      }
    }
    // The first batch is all there is: what is missing then is not on its way.
    if (!this.#hasPolicies) {
      this.#overdue = this.#missing;
      this.#missing = new Set();
    }
    this.#hasPolicies = true;
    this.#announce({ policies: true, workloads: false });
    return rejected;
  }

  /**
   * To be called now and then: a listed policy that is missing since the call before last denies from now on. Until then
   * it does not, because policies and the lists that name them arrive one after the other. Returns the names.
   */
  settlePolicies(): readonly string[] {
    const late = this.#listed(this.#missingForLong);
    this.#missingForLong = this.#missing;
    this.#missing = new Set();
    this.#overdue = new Set([...this.#listed(this.#overdue), ...late]);
    if (late.length > 0) this.#announce({ policies: true, workloads: false });
    return late;
  }

  /** Those of the policies that are not here although a workload lists them. */
  #listed(names: ReadonlySet<string>): string[] {
    const found = new Set<string>();
    if (names.size === 0) return [];
    for (const { authorizationPolicies } of this.#workloads.values()) {
      for (const name of authorizationPolicies) {
        if (names.has(name) && !this.#policies.has(name)) found.add(name);
      }
    }
    return [...found];
  }

  onChange(listener: (change: StoreChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  workload(uid: string): Workload | null {
    return this.#workloads.get(uid) ?? null;
  }

  workloadByAddress(network: string, ip: string): Workload | null {
    const candidates = this.#byAddress.get(`${network}/${ip}`);
    if (candidates === undefined) return null;
    return candidates.reduce((best, next) =>
      addressRank(next) >= addressRank(best) ? next : best,
    );
  }

  workloadByPod(namespace: string, name: string): Workload | null {
    return this.#byPod.get(`${namespace}/${name}`) ?? null;
  }

  service(key: string): Service | null {
    return this.#services.get(key) ?? null;
  }

  serviceByVip(network: string, ip: string, clientNamespace: string): Service | null {
    const candidates = this.#byVip.get(`${network}/${ip}`) ?? [];
    const visible = candidates.filter((service) => isVisible(service, clientNamespace));
    return (
      pickService(visible, clientNamespace) ?? this.#serviceByCidr(network, ip, clientNamespace)
    );
  }

  servicesByHostname(hostname: string): readonly Service[] {
    return this.#byHostname.get(hostname) ?? [];
  }

  endpoints(key: string): ReadonlyMap<string, Endpoint> {
    return this.#endpoints.get(key) ?? NO_ENDPOINTS;
  }

  /** Policies of the workload's namespace, global ones, and those it lists by name (spec ztunnel 4.4). */
  policiesFor(workload: Workload): readonly Authorization[] {
    const policies = [
      ...(this.#policiesByNamespace.get(workload.namespace) ?? []),
      ...(this.#policiesByNamespace.get('') ?? []),
    ];
    for (const name of workload.authorizationPolicies) {
      const policy = this.#policies.get(name);
      if (policy !== undefined) policies.push(policy);
      else if (!this.#missing.has(name) && !this.#missingForLong.has(name)) {
        policies.push(standIn(name, null));
      }
    }
    return policies;
  }

  allWorkloads(): Iterable<Workload> {
    return this.#workloads.values();
  }

  allServices(): Iterable<Service> {
    return this.#services.values();
  }

  allPolicies(): Iterable<Authorization> {
    return this.#policies.values();
  }

  /** Service keys that workloads name although no such service has arrived. */
  *stagedServices(): Iterable<string> {
    for (const key of this.#endpoints.keys()) if (!this.#services.has(key)) yield key;
  }

  #announce(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** Null when applied, else why not. */
  #upsertAddress(body: Uint8Array): string | null {
    const decoded = decodeSafely<Workload | Service>(() => {
      const { type } = fromBinary(AddressSchema, body);
      switch (type.case) {
        case 'workload':
          return decodeWorkload(type.value);
        case 'service':
          return decodeService(type.value);
        case undefined:
          return { ok: false, error: 'unknown address type' };
      }
    });
    if (!decoded.ok) return decoded.error;
    if ('uid' in decoded.value) this.#upsertWorkload(decoded.value);
    else this.#upsertService(decoded.value);
    return null;
  }

  #upsertWorkload(workload: Workload): void {
    const before = this.#workloads.get(workload.uid)?.authorizationPolicies ?? [];
    this.#removeWorkload(workload.uid);
    this.#workloads.set(workload.uid, workload);
    for (const name of workload.authorizationPolicies) {
      const isExpected = !this.#policies.has(name) && !this.#overdue.has(name);
      if (isExpected && !before.includes(name)) this.#missing.add(name);
    }
    if (workload.networkMode === 'standard') {
      for (const ip of workload.addresses) {
        append(this.#byAddress, `${workload.network}/${ip}`, workload);
      }
    }
    if (workload.uid.includes('//Pod/')) this.#byPod.set(podKey(workload), workload);
    for (const [key, ports] of workload.services) {
      const endpoints = this.#endpoints.get(key) ?? new Map<string, Endpoint>();
      endpoints.set(workload.uid, { workloadUid: workload.uid, ports, status: workload.status });
      this.#endpoints.set(key, endpoints);
    }
  }

  #removeWorkload(uid: string): void {
    const workload = this.#workloads.get(uid);
    if (workload === undefined) return;
    this.#workloads.delete(uid);
    for (const ip of workload.addresses) {
      remove(this.#byAddress, `${workload.network}/${ip}`, workload);
    }
    if (this.#byPod.get(podKey(workload)) === workload) this.#byPod.delete(podKey(workload));
    for (const key of workload.services.keys()) {
      const endpoints = this.#endpoints.get(key);
      endpoints?.delete(uid);
      if (endpoints?.size === 0) this.#endpoints.delete(key);
    }
  }

  #upsertService(service: Service): void {
    this.#removeService(serviceKey(service));
    this.#services.set(serviceKey(service), service);
    append(this.#byHostname, service.hostname, service);
    for (const { network, address, prefixLength } of service.addresses) {
      if (prefixLength === null) append(this.#byVip, `${network}/${address}`, service);
      else this.#byCidr.add(service);
    }
  }

  #removeService(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    this.#services.delete(key);
    remove(this.#byHostname, service.hostname, service);
    this.#byCidr.delete(service);
    for (const { network, address } of service.addresses) {
      remove(this.#byVip, `${network}/${address}`, service);
    }
  }

  #setPolicy(name: string, policy: Authorization): void {
    this.#removePolicy(name);
    this.#policies.set(name, policy);
    this.#missing.delete(name);
    this.#overdue.delete(name);
    addTo(this.#policiesByNamespace, policyNamespace(policy), policy);
  }

  #removePolicy(name: string): void {
    const policy = this.#policies.get(name);
    if (policy === undefined) return;
    this.#policies.delete(name);
    this.#missing.add(name);
    this.#policiesByNamespace.get(policyNamespace(policy))?.delete(policy);
  }

  #serviceByCidr(network: string, ip: string, clientNamespace: string): Service | null {
    let best: Service | null = null;
    let bestRank = -1;
    for (const service of this.#byCidr) {
      if (!isVisible(service, clientNamespace)) continue;
      const rank = cidrRank(service, { network, ip, clientNamespace });
      if (rank <= bestRank) continue;
      best = service;
      bestRank = rank;
    }
    return best;
  }
}

/** In the client's namespace, then the longest prefix, then canonical (spec ztunnel 3.3); -1 if no range fits. */
function cidrRank(
  service: Service,
  client: { readonly network: string; readonly ip: string; readonly clientNamespace: string },
): number {
  let longest = -1;
  for (const { network, address, prefixLength } of service.addresses) {
    if (prefixLength === null || network !== client.network) continue;
    if (cidrContains({ address, prefixLength }, client.ip))
      longest = Math.max(longest, prefixLength);
  }
  if (longest < 0) return -1;
  const isLocal = service.namespace === client.clientNamespace;
  return (isLocal ? 1024 : 0) + longest * 2 + (service.canonical ? 1 : 0);
}

/** Policies bound by selector are reached only through the workloads that list them. */
function policyNamespace(policy: Authorization): string {
  switch (policy.scope) {
    case 'global':
      return '';
    case 'namespace':
      return policy.namespace;
    case 'workload-selector':
      return `selector:${policyKey(policy)}`;
  }
}

function pickService(candidates: readonly Service[], clientNamespace: string): Service | null {
  return (
    candidates.find((service) => service.namespace === clientNamespace) ??
    candidates.findLast((service) => service.canonical) ??
    candidates[0] ??
    null
  );
}

function isVisible(service: Service, clientNamespace: string): boolean {
  return service.visibility === 'public' || service.namespace === clientNamespace;
}

function addressRank(workload: Workload): number {
  return (workload.uid.includes('//Pod/') ? 2 : 0) + (workload.protocol === 'hbone' ? 1 : 0);
}

function podKey(workload: Workload): string {
  return `${workload.namespace}/${workload.name}`;
}

function append<T>(index: Map<string, T[]>, key: string, value: T): void {
  const values = index.get(key);
  if (values === undefined) index.set(key, [value]);
  else values.push(value);
}

function remove<T>(index: Map<string, T[]>, key: string, value: T): void {
  const rest = index.get(key)?.filter((other) => other !== value) ?? [];
  if (rest.length === 0) index.delete(key);
  else index.set(key, rest);
}

function addTo<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const values = index.get(key);
  if (values === undefined) index.set(key, new Set([value]));
  else values.add(value);
}

/** Bytes that are no protobuf at all are a rejected resource too, not a crash. */
function decodeSafely<T>(
  decode: () => { ok: true; value: T } | { ok: false; error: string },
): { ok: true; value: T } | { ok: false; error: string } {
  try {
    return decode();
  } catch (error) {
    return { ok: false, error: `not decodable: ${(error as Error).message}` };
  }
}
