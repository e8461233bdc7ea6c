/** What is not followed of how proxies are to be started, as conditions: of ProxyConfigs, and of the annotation of Gateways. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { isRunHere } from '../derive/gateway-api/gateway-services.ts';
import { PROXY_CONFIG_ANNOTATION, SIDECAR_STATUS_ANNOTATION } from '../derive/labels.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { settingsIn } from '../derive/mesh-settings.ts';
import { annotationsOf, namespaceOf } from '../derive/object.ts';
import { annotatedStart, startProblems } from '../derive/proxy-start.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { isManaged } from '../ingest/revision.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { conditionWish } from './condition-wish.ts';
import { unsupportedCondition } from './unsupported-condition.ts';

const MANAGER = { types: ['aquifer.io/Started'], fieldManager: 'aquifer-proxy-start' };
const NOT_INJECTED =
  'spec: only waypoints and gateways that the control plane deploys follow it; pods get their sidecars from somebody else';

const EVERYWHERE = '*';

/** Only where there is something to say. */
export function proxyStartWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  revision: string,
): Collection<Wish> {
  const injected = graph.index('pods with sidecars', cluster.of('Pod'), (pod) =>
    SIDECAR_STATUS_ANNOTATION in annotationsOf(pod) ? [namespaceOf(pod), EVERYWHERE] : [],
  );
  const configs = graph.flatMap(
    'wishes for ProxyConfigs',
    cluster.of('ProxyConfig'),
    (config, context) => {
      const { rootNamespace } = settingsIn(mesh, context);
      const namespace = namespaceOf(config);
      const place = namespace === rootNamespace ? EVERYWHERE : namespace;
      const hasSidecars = context.lookup(injected, place).length > 0;
      const problems = [...startProblems(config), ...(hasSidecars ? [NOT_INJECTED] : [])];
      const stored = config.status?.conditions;
      return conditionWish(
        { ...MANAGER, kind: 'ProxyConfig', object: config, stored },
        unsupportedCondition(MANAGER.types[0]!, problems, config.metadata.generation),
      );
    },
    isSameWish,
  );
  const annotations = graph.flatMap(
    'wishes for annotations of Gateways',
    cluster.of('Gateway'),
    (gateway, context) => {
      const home = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(gateway)));
      const classKey = objectKey('', gateway.spec.gatewayClassName);
      const found = context.get(cluster.of('GatewayClass'), classKey);
      if (found === undefined || !isRunHere(found)) return [];
      if (!isManaged(gateway, home, revision)) return [];
      const { annotations: own } = gateway.spec.infrastructure ?? {};
      const { problems } = annotatedStart((own ?? annotationsOf(gateway))[PROXY_CONFIG_ANNOTATION]);
      const named = problems.map((problem) => `annotation ${PROXY_CONFIG_ANNOTATION}: ${problem}`);
      const stored = gateway.status?.conditions;
      return conditionWish(
        { ...MANAGER, kind: 'Gateway', object: gateway, stored },
        unsupportedCondition(MANAGER.types[0]!, named, gateway.metadata.generation),
      );
    },
    isSameWish,
  );
  return graph.union('wishes about how proxies are started', configs, annotations);
}
