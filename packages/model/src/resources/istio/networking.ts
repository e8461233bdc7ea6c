import { z } from 'zod';
import { anyObject, objectOf, stringMap } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { networking } from './networking-group.ts';
import { ageColumn, istioStatus, workloadSelector } from './selectors.ts';

/** Not supported by the mesh, but its objects can be stored so that they are reported, not lost. */
export const envoyFilter = defineResource({
  ...networking,
  versions: ['v1alpha3'],
  kind: 'EnvoyFilter',
  plural: 'envoyfilters',
  singular: 'envoyfilter',
  columns: [ageColumn],
  schema: objectOf({ spec: anyObject.optional(), status: istioStatus.optional() }),
});

/** Istio: settings of the proxies of workloads. */
export const proxyConfig = defineResource({
  ...networking,
  versions: ['v1beta1'],
  kind: 'ProxyConfig',
  plural: 'proxyconfigs',
  singular: 'proxyconfig',
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({
        selector: workloadSelector.optional(),
        concurrency: z.int32().min(0).nullable().optional(),
        environmentVariables: stringMap.optional(),
        image: z.object({ imageType: z.string().optional() }).optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

const extensions = {
  group: 'extensions.istio.io',
  versions: ['v1alpha1'],
  categories: ['istio-io', 'extensions-istio-io'],
  namespaced: true,
  subresources: { status: true },
  columns: [ageColumn],
  schema: objectOf({ spec: anyObject.optional(), status: istioStatus.optional() }),
} as const;

/** Istio: not run by the mesh; stored so that it is reported. */
export const wasmPlugin = defineResource({
  ...extensions,
  kind: 'WasmPlugin',
  plural: 'wasmplugins',
  singular: 'wasmplugin',
});

/** Istio: not run by the mesh; stored so that it is reported. */
export const trafficExtension = defineResource({
  ...extensions,
  kind: 'TrafficExtension',
  plural: 'trafficextensions',
  singular: 'trafficextension',
});

/** The TypeScript type of `proxyConfig`. */
export type ProxyConfig = z.infer<typeof proxyConfig.schema>;
