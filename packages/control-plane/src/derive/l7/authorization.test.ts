import type { AuthorizationPolicy } from '@aquifer/model/resources';
import { ExtAuthzSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/ext_authz/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import { RBACSchema as NetworkRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/rbac/v3_pb';
import { fromBinary, type Message } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { expect, test } from 'vitest';
import { parseMeshConfig } from '../mesh-config.ts';
import { authorizationFilters } from './authorization.ts';
import type { Extension } from './packed.ts';

/** CUSTOM policies beside what is recorded (l7/25). */
function policy(name: string, provider: string, annotations: object = {}): AuthorizationPolicy {
  return {
    metadata: { namespace: 'shop', name, annotations },
    spec: { action: 'CUSTOM', provider: { name: provider }, rules: [{}] },
  } as AuthorizationPolicy;
}

const { extensionProviders: PROVIDERS } = parseMeshConfig(`
extensionProviders:
- {name: b, envoyExtAuthzGrpc: {service: b.shop.svc.cluster.local, port: 9000}}
- {name: a, envoyExtAuthzHttp: {service: shop/a.shop.svc.cluster.local, port: 80, statusOnError: '700'}}
- {name: tracer, zipkin: {service: zipkin.shop.svc.cluster.local, port: 9411}}
`);

function filters(policies: readonly AuthorizationPolicy[], protocol: 'http' | 'tcp'): Extension[] {
  const judges = {
    ...{ policies, tokens: [], providers: PROVIDERS },
    unaskableBytes: 'denied',
  } as const;
  return authorizationFilters(judges, { protocol, peer: 'tunnel' });
}

function read<T extends Message>(filter: Extension | undefined, schema: GenMessage<T>): T {
  const any = filter?.configType.value as { readonly value: Uint8Array } | undefined;
  return fromBinary(schema, any?.value ?? new Uint8Array());
}

test('several are asked in the order of their names, each about what its own rules mark', () => {
  const made = filters([policy('second', 'b'), policy('first', 'a')], 'http');
  const [markA, askA, markB, askB] = made;
  expect(made).toHaveLength(4);
  expect(read(markA, HttpRbacSchema).shadowRulesStatPrefix).toBe('istio_ext_authz_a_');
  expect(read(markB, HttpRbacSchema).shadowRulesStatPrefix).toBe('istio_ext_authz_b_');
  const [a, b] = [askA, askB].map((filter) => read(filter, ExtAuthzSchema));
  expect(a?.filterEnabledMetadata?.path[0]?.segment.value).toBe(
    'istio_ext_authz_a_shadow_effective_policy_id',
  );
  expect([a?.services.case, b?.services.case]).toEqual(['httpService', 'grpcService']);
  // No status that Envoy knows: 403.
  expect(a?.statusOnError).toBeUndefined();
});

test.for(['nobody', 'tracer'])('what %s would be asked about is denied', (provider) => {
  const [only, ...others] = filters([policy('p', provider)], 'http');
  expect(others).toEqual([]);
  expect(Object.keys(read(only, HttpRbacSchema).rules?.policies ?? {})).toEqual([
    `istio-ext-authz-${provider}-ns[shop]-policy[p]-rule[0]-deny-due-to-bad-CUSTOM-action`,
  ]);
});

test('nobody is asked about bytes, which are denied', () => {
  const [only, ...others] = filters([policy('p', 'a')], 'tcp');
  expect(others).toEqual([]);
  expect(Object.keys(read(only, NetworkRbacSchema).rules?.policies ?? {})).toHaveLength(1);
});

test('a dry run asks nobody and denies nothing', () => {
  const dry = policy('p', 'a', { 'istio.io/dry-run': 'true' });
  const [only, ...others] = filters([dry], 'http');
  expect(others).toEqual([]);
  const { rules, shadowRules } = read(only, HttpRbacSchema);
  expect([rules, Object.keys(shadowRules?.policies ?? {}).length]).toEqual([undefined, 1]);
});
