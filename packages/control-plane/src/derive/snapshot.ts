/** From the cluster's state to everything that is served; recomputed only where an input changed. */
import type { Authorization, Service as MeshService, Workload } from '@aquifer/model';
import type { AuthorizationPolicy, PeerAuthentication, Service } from '@aquifer/model/resources';
import type { EnrolledPod } from '@aquifer/wire/gen/aquifer/node_pb';
import type { ClusterState } from '../ingest/cluster-state.ts';
import type { ObjectRef } from '../ingest/kinds.ts';
import {
  deriveEndpointWorkloads,
  hasPodSelector,
  SERVICE_NAME_LABEL,
  servicesByPod,
} from './endpoints.ts';
import type { EnrolmentSettings } from './enrolled-pods.ts';
import { KeptMaps } from './kept-maps.ts';
import { WaypointConfigDeriver, type WaypointConfigs } from './l7/waypoint-configs.ts';
import { NETWORK_LABEL } from './labels.ts';
import { Memo, type ProblemListener } from './memo.ts';
import type { MeshSettings } from './mesh.ts';
import { labelsOf, nameOf, namespaceOf, refTo } from './object.ts';
import {
  convertPeerAuthentication,
  hasSelector,
  inheritedPeerAuthentication,
  staticStrictPolicy,
} from './peer-authentication.ts';
import { type NamespaceContext, PodResources } from './pod-resources.ts';
import { type ConvertedPolicy, convertPolicy, type PolicyVerdict } from './policies.ts';
import {
  authorizationResource,
  type Resource,
  type ResourceMap,
  serviceResource,
  workloadResource,
} from './resource.ts';
import { type BoundCondition, deriveService } from './services.ts';
import { type AttachmentVerdict, deriveAttachments } from './waypoint-policies.ts';
import { deriveWaypoints, type Waypoints } from './waypoints.ts';
import type { NamespacePolicies } from './workloads.ts';

/** Everything derived from one state. Maps keep their identity while their content does. */
export interface Snapshot {
  readonly state: ClusterState;
  readonly waypoints: Waypoints;
  /** Workloads and Services, as WDS Addresses. */
  readonly addresses: ResourceMap<Workload | MeshService>;
  readonly authorizations: ResourceMap<Authorization>;
  /** Pods to capture, by node name, then by pod uid. */
  readonly enrolledPods: ReadonlyMap<string, ResourceMap<EnrolledPod>>;
  /** Envoy's resources, by the `namespace/name` of the waypoint. */
  readonly waypointConfigs: WaypointConfigs;
  readonly conditions: DerivedConditions;
}

/** What the status writer has to say, by `namespace/name`; null prunes the condition. */
interface DerivedConditions {
  readonly services: ReadonlyMap<string, BoundCondition | null>;
  readonly policies: ReadonlyMap<string, PolicyVerdict | null>;
  readonly attachments: ReadonlyMap<string, AttachmentVerdict | null>;
}

type PolicyEntry = ConvertedPolicy & { readonly resource: Resource<Authorization> | null };

const NO_POLICY: PolicyEntry = { authorization: null, verdict: null, resource: null };

interface ServiceEntry {
  readonly resource: Resource<MeshService> | null;
  readonly condition: BoundCondition | null;
}

/** Derives snapshots one after the other; what a change cannot have touched is taken from the one before. */
export class Deriver {
  readonly #mesh: MeshSettings;
  readonly #enrolment: EnrolmentSettings;
  readonly #pods: PodResources;
  readonly #slices: Memo<readonly Resource<Workload>[]>;
  readonly #services: Memo<ServiceEntry>;
  readonly #policies: Memo<PolicyEntry>;
  readonly #peers: Memo<Resource<Authorization> | null>;
  readonly #parts: Memo<unknown>;
  readonly #maps = new KeptMaps();
  readonly #waypointConfigs: WaypointConfigDeriver;

  constructor(settings: MeshSettings & EnrolmentSettings, onProblem: ProblemListener) {
    this.#mesh = settings;
    this.#enrolment = settings;
    this.#pods = new PodResources(onProblem);
    this.#waypointConfigs = new WaypointConfigDeriver(settings, onProblem);
    this.#slices = new Memo(onProblem, () => []);
    this.#services = new Memo(
      onProblem,
      () => ({ resource: null, condition: null }) as ServiceEntry,
    );
    this.#policies = new Memo(onProblem, () => NO_POLICY);
    this.#peers = new Memo(onProblem, () => null);
    this.#parts = new Memo(onProblem, () => {
      throw new Error('the cluster state cannot be read');
    });
  }

  derive(state: ClusterState): Snapshot {
    const system = state.Namespace.get('', this.#mesh.rootNamespace);
    const network = labelsOf(system)[NETWORK_LABEL] ?? '';
    const waypoints = this.#part('waypoints', [state.Gateway, state.GatewayClass, network], () =>
      deriveWaypoints(state.Gateway, state.GatewayClass, network),
    );
    const inputs = { state, network, waypoints };
    const services = this.#deriveServices(inputs);
    const policies = this.#derivePolicies(state);
    const addresses: Resource<Workload | MeshService>[] = [...services.resources];
    addresses.push(
      ...this.#pods.workloads(state, (name) => this.#namespaceContext(inputs, name)),
      ...this.#deriveSlices(inputs),
    );
    const kept = this.#maps.keep('addresses', addresses);
    const snapshot: Snapshot = {
      state,
      waypoints,
      addresses: kept,
      waypointConfigs: this.#waypointConfigs.derive({ state, waypoints, addresses: kept }),
      authorizations: this.#maps.keep('authorizations', policies.resources),
      enrolledPods: this.#deriveEnrolled(state),
      conditions: {
        services: services.conditions,
        policies: policies.verdicts,
        attachments: deriveAttachments({
          state,
          waypoints,
          rootNamespace: this.#mesh.rootNamespace,
        }),
      },
    };
    for (const memo of [this.#slices, this.#services, this.#policies, this.#peers]) {
      memo.sweep();
    }
    this.#parts.sweep();
    return snapshot;
  }

  #deriveServices({ state, network, waypoints }: Inputs) {
    const resources: Resource<MeshService>[] = [];
    const conditions = new Map<string, BoundCondition | null>();
    for (const service of state.Service) {
      const namespace = state.Namespace.get('', namespaceOf(service));
      const key = `${namespaceOf(service)}/${nameOf(service)}`;
      const entry = this.#services.get(key, [service, namespace, waypoints, network], () => {
        const context = { mesh: this.#mesh, network, namespace, waypoints };
        const derived = deriveService(service, context);
        if (derived === null) return { resource: null, condition: null };
        const sources = [refTo(service), ...(derived.waypoint ? [derived.waypoint.source] : [])];
        return {
          resource: serviceResource(derived.service, sources),
          condition: derived.condition,
        };
      });
      conditions.set(key, entry.condition);
      if (entry.resource !== null) resources.push(entry.resource);
    }
    return { resources, conditions };
  }

  /** What the pods of one namespace share. */
  #namespaceContext({ state, network, waypoints }: Inputs, name: string): NamespaceContext {
    return {
      mesh: this.#mesh,
      network,
      waypoints,
      namespace: state.Namespace.get('', name),
      services: state.Service.inNamespace(name),
      sliceServices: this.#sliceServices(state, name),
      policies: this.#policiesOf(state, name),
    };
  }

  *#deriveSlices({ state, network }: Inputs): Iterable<Resource<Workload>> {
    for (const slice of state.EndpointSlice) {
      const namespace = namespaceOf(slice);
      const service = state.Service.get(namespace, labelsOf(slice)[SERVICE_NAME_LABEL] ?? '');
      const key = `${namespace}/${nameOf(slice)}`;
      yield* this.#slices.get(key, [slice, service, network], () =>
        deriveEndpointWorkloads(slice, service, this.#mesh, network).map((workload) =>
          workloadResource(workload, [refTo(slice), ...(service ? [refTo(service)] : [])]),
        ),
      );
    }
  }

  /** Only slices of selector-less Services matter to pods; the others change with every pod. */
  #sliceServices(state: ClusterState, namespace: string): ReadonlyMap<string, readonly Service[]> {
    const services = state.Service.inNamespace(namespace);
    const manual = services.filter((service) => !hasPodSelector(service));
    if (manual.length === 0) return NO_SLICES;
    const slices = state.EndpointSlice.inNamespace(namespace);
    return this.#part(`slices/${namespace}`, [services, slices], () =>
      servicesByPod(slices, manual),
    );
  }

  #policiesOf(state: ClusterState, namespace: string): NamespacePolicies {
    const root = this.#mesh.rootNamespace;
    const own = state.AuthorizationPolicy.inNamespace(namespace);
    const mesh = state.AuthorizationPolicy.inNamespace(root);
    const ownPeer = state.PeerAuthentication.inNamespace(namespace);
    const meshPeer = state.PeerAuthentication.inNamespace(root);
    return this.#part(`policies/${namespace}`, [own, mesh, ownPeer, meshPeer], () => ({
      authorization: (namespace === root ? own : [...own, ...mesh]).filter((policy) =>
        this.#isSent(policy),
      ),
      peer: namespace === root ? [] : ownPeer,
      inheritedPeer: inheritedPeerAuthentication(meshPeer, ownPeer),
    }));
  }

  #isSent(policy: AuthorizationPolicy): boolean {
    return convertPolicy(policy, this.#mesh.rootNamespace).authorization !== null;
  }

  #derivePolicies(state: ClusterState) {
    const root = this.#mesh.rootNamespace;
    const resources: Resource<Authorization>[] = [];
    const verdicts = new Map<string, PolicyVerdict | null>();
    for (const policy of state.AuthorizationPolicy) {
      const key = `${namespaceOf(policy)}/${nameOf(policy)}`;
      const { resource, verdict } = this.#policies.get(key, [policy], () => {
        const converted = convertPolicy(policy, root);
        const { authorization } = converted;
        const resource = authorization && authorizationResource(authorization, [refTo(policy)]);
        return { ...converted, resource };
      });
      verdicts.set(key, verdict);
      if (resource !== null) resources.push(resource);
    }
    const peers = state.PeerAuthentication;
    if (peers.size > 0) resources.push(this.#staticStrict(peers));
    for (const peer of peers) {
      const converted =
        namespaceOf(peer) === root || !hasSelector(peer) ? null : this.#convertPeer(state, peer);
      if (converted !== null) resources.push(converted);
    }
    return { resources, verdicts };
  }

  #staticStrict(peers: Iterable<PeerAuthentication>): Resource<Authorization> {
    const sources = (): ObjectRef[] =>
      [...peers].filter((peer) => peer.spec?.mtls?.mode === 'STRICT').map(refTo);
    return this.#part('static-strict', [peers], () =>
      authorizationResource(staticStrictPolicy(this.#mesh.rootNamespace), sources()),
    );
  }

  #convertPeer(state: ClusterState, peer: PeerAuthentication): Resource<Authorization> | null {
    const inherited = this.#policiesOf(state, namespaceOf(peer)).inheritedPeer;
    const key = `${namespaceOf(peer)}/${nameOf(peer)}`;
    return this.#peers.get(key, [peer, inherited], () => {
      const authorization = convertPeerAuthentication(peer, inherited);
      return authorization && authorizationResource(authorization, [refTo(peer)]);
    });
  }

  #deriveEnrolled(state: ClusterState): ReadonlyMap<string, ResourceMap<EnrolledPod>> {
    const byNode = new Map<string, Resource<EnrolledPod>[]>();
    for (const { node, resource } of this.#pods.enrolled(state, this.#enrolment)) {
      const list = byNode.get(node) ?? [];
      if (list.push(resource) === 1) byNode.set(node, list);
    }
    this.#maps.sweep((key) => !key.startsWith('node/') || byNode.has(key.slice(5)));
    const nodes = [...byNode].map(
      ([node, list]) => [node, this.#maps.keep(`node/${node}`, list)] as const,
    );
    return new Map(nodes);
  }

  #part<T>(key: string, inputs: readonly unknown[], compute: () => T): T {
    return this.#parts.get(key, inputs, compute) as T;
  }
}

interface Inputs {
  readonly state: ClusterState;
  readonly network: string;
  readonly waypoints: Waypoints;
}

const NO_SLICES: ReadonlyMap<string, readonly Service[]> = new Map();
