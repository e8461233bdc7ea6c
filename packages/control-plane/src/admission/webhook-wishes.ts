/** The roots by which the API server knows the control plane, in the configurations that lead here. */
import type { ValidatingWebhookConfiguration } from '@aquifer/model/resources';
import type { AuthorityFacts } from '../ca/mesh-authority.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { nameOf } from '../derive/object.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';

type Webhook = NonNullable<ValidatingWebhookConfiguration['webhooks']>[number];

/** Of webhooks whose Service is one of the control plane's. */
export function webhookWishes(
  graph: Graph,
  cluster: ClusterInputs,
  facts: Collection<AuthorityFacts>,
  systemNamespace: string,
): Collection<Wish> {
  const bundles = graph.map('bundle of webhooks', facts, ({ rootBundle }) =>
    Buffer.from(rootBundle).toString('base64'),
  );
  const leadsHere = ({ clientConfig: { service } }: Webhook): boolean =>
    service?.namespace === systemNamespace && service.name.startsWith('istiod');
  return graph.flatMap(
    'wishes for webhooks',
    cluster.of('ValidatingWebhookConfiguration'),
    (configuration, context) => {
      const caBundle = context.get(bundles, '');
      const { webhooks = [] } = configuration;
      const isMissing = (webhook: Webhook): boolean =>
        leadsHere(webhook) && webhook.clientConfig.caBundle !== caBundle;
      if (caBundle === undefined || !webhooks.some(isMissing)) return [];
      const { resourceVersion } = configuration.metadata;
      const path = `${collectionPath(WATCHED_KINDS.ValidatingWebhookConfiguration)}/${nameOf(configuration)}`;
      const body = {
        metadata: { resourceVersion },
        webhooks: webhooks.map((webhook) =>
          isMissing(webhook)
            ? { ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } }
            : webhook,
        ),
      };
      const write = { verb: 'mergePatch', path, body } as const;
      return [[path, { fingerprint: `${resourceVersion} ${caBundle}`, write }]];
    },
    isSameWish,
  );
}
