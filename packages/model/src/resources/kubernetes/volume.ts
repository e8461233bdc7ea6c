import { z } from 'zod';
import { anyObject, quantity } from '../field-types.ts';

const keyToPath = z.object({ key: z.string(), path: z.string(), mode: z.int32().optional() });

const downwardFile = z.object({
  path: z.string(),
  mode: z.int32().optional(),
  fieldRef: z.object({ apiVersion: z.string().optional(), fieldPath: z.string() }).optional(),
  resourceFieldRef: z
    .object({
      containerName: z.string().optional(),
      resource: z.string(),
      divisor: quantity.optional(),
    })
    .optional(),
});

const projectedSource = z.object({
  configMap: z
    .object({
      name: z.string().optional(),
      items: z.array(keyToPath).optional(),
      optional: z.boolean().optional(),
    })
    .optional(),
  secret: z
    .object({
      name: z.string().optional(),
      items: z.array(keyToPath).optional(),
      optional: z.boolean().optional(),
    })
    .optional(),
  downwardAPI: z.object({ items: z.array(downwardFile).optional() }).optional(),
  serviceAccountToken: z
    .object({
      audience: z.string().optional(),
      expirationSeconds: z.int().optional().describe('Seconds; default 3600, at least 600.'),
      path: z.string(),
    })
    .optional(),
  clusterTrustBundle: anyObject.optional(),
  podCertificate: anyObject.optional(),
});

/** A volume that the containers of a pod may mount. Exactly one source is set. */
export const volume = z.object({
  name: z.string().describe('name of the volume. Must be a DNS_LABEL and unique within the pod.'),
  emptyDir: z.object({ medium: z.string().optional(), sizeLimit: quantity.optional() }).optional(),
  hostPath: z.object({ path: z.string(), type: z.string().optional() }).optional(),
  configMap: z
    .object({
      name: z.string().optional(),
      items: z.array(keyToPath).optional(),
      defaultMode: z.int32().optional(),
      optional: z.boolean().optional(),
    })
    .optional(),
  secret: z
    .object({
      secretName: z.string().optional(),
      items: z.array(keyToPath).optional(),
      defaultMode: z.int32().optional(),
      optional: z.boolean().optional(),
    })
    .optional(),
  projected: z
    .object({
      sources: z.array(projectedSource).nullable().optional(),
      defaultMode: z.int32().optional(),
    })
    .optional(),
  downwardAPI: z
    .object({ items: z.array(downwardFile).optional(), defaultMode: z.int32().optional() })
    .optional(),
  persistentVolumeClaim: z
    .object({ claimName: z.string(), readOnly: z.boolean().optional() })
    .optional(),
  ephemeral: anyObject.optional(),
  image: z
    .object({ reference: z.string().optional(), pullPolicy: z.string().optional() })
    .optional(),
  csi: anyObject.optional(),
  nfs: anyObject.optional(),
  iscsi: anyObject.optional(),
  cephfs: anyObject.optional(),
  rbd: anyObject.optional(),
  fc: anyObject.optional(),
  glusterfs: anyObject.optional(),
  flexVolume: anyObject.optional(),
  gitRepo: anyObject.optional(),
  awsElasticBlockStore: anyObject.optional(),
  azureDisk: anyObject.optional(),
  azureFile: anyObject.optional(),
  gcePersistentDisk: anyObject.optional(),
  vsphereVolume: anyObject.optional(),
});
