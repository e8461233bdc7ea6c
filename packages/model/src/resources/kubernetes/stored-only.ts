/**
 * Kinds that the mesh neither reads nor writes: described by name only, so that manifests which carry them can be
 * applied and listed. Their fields are stored as given.
 */
import type { z } from 'zod';
import { anyObject, objectOf } from '../field-types.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';

const anyFields = objectOf({ spec: anyObject.optional(), status: anyObject.optional() });
const freeSchema = anyFields.loose();

interface StoredOnly {
  readonly plural: string;
  readonly kind: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly cluster?: true;
  readonly status?: true;
  readonly scale?: true;
}

function stored(group: string, versions: readonly string[], rows: readonly StoredOnly[]) {
  return rows.map(
    ({ plural, kind, shortNames = [], categories = [], ...row }): ResourceDefinition =>
      defineResource({
        group,
        versions,
        kind,
        plural,
        singular: kind.toLowerCase(),
        shortNames,
        categories,
        namespaced: row.cluster !== true,
        subresources: { status: row.status === true, scale: row.scale === true },
        schema: freeSchema as z.ZodType,
      }),
  );
}

/** In the groups and versions of Kubernetes 1.34. */
export const storedOnlyResources: readonly ResourceDefinition[] = [
  ...stored(
    '',
    ['v1'],
    [
      { plural: 'componentstatuses', kind: 'ComponentStatus', shortNames: ['cs'], cluster: true },
      { plural: 'limitranges', kind: 'LimitRange', shortNames: ['limits'] },
      {
        plural: 'persistentvolumeclaims',
        kind: 'PersistentVolumeClaim',
        shortNames: ['pvc'],
        status: true,
      },
      {
        plural: 'persistentvolumes',
        kind: 'PersistentVolume',
        shortNames: ['pv'],
        cluster: true,
        status: true,
      },
      { plural: 'podtemplates', kind: 'PodTemplate' },
      {
        plural: 'replicationcontrollers',
        kind: 'ReplicationController',
        shortNames: ['rc'],
        categories: ['all'],
        status: true,
        scale: true,
      },
      { plural: 'resourcequotas', kind: 'ResourceQuota', shortNames: ['quota'], status: true },
    ],
  ),
  ...stored(
    'admissionregistration.k8s.io',
    ['v1'],
    [
      {
        plural: 'validatingadmissionpolicies',
        kind: 'ValidatingAdmissionPolicy',
        cluster: true,
        status: true,
      },
      {
        plural: 'validatingadmissionpolicybindings',
        kind: 'ValidatingAdmissionPolicyBinding',
        cluster: true,
      },
    ],
  ),
  ...stored(
    'apiregistration.k8s.io',
    ['v1'],
    [
      {
        plural: 'apiservices',
        kind: 'APIService',
        categories: ['api-extensions'],
        cluster: true,
        status: true,
      },
    ],
  ),
  ...stored('apps', ['v1'], [{ plural: 'controllerrevisions', kind: 'ControllerRevision' }]),
  ...stored(
    'autoscaling',
    ['v2', 'v1'],
    [
      {
        plural: 'horizontalpodautoscalers',
        kind: 'HorizontalPodAutoscaler',
        shortNames: ['hpa'],
        categories: ['all'],
        status: true,
      },
    ],
  ),
  ...stored(
    'certificates.k8s.io',
    ['v1'],
    [
      {
        plural: 'certificatesigningrequests',
        kind: 'CertificateSigningRequest',
        shortNames: ['csr'],
        cluster: true,
        status: true,
      },
    ],
  ),
  ...stored('events.k8s.io', ['v1'], [{ plural: 'events', kind: 'Event', shortNames: ['ev'] }]),
  ...stored(
    'flowcontrol.apiserver.k8s.io',
    ['v1'],
    [
      { plural: 'flowschemas', kind: 'FlowSchema', cluster: true, status: true },
      {
        plural: 'prioritylevelconfigurations',
        kind: 'PriorityLevelConfiguration',
        cluster: true,
        status: true,
      },
    ],
  ),
  ...stored(
    'networking.k8s.io',
    ['v1'],
    [
      { plural: 'ingressclasses', kind: 'IngressClass', cluster: true },
      { plural: 'ingresses', kind: 'Ingress', shortNames: ['ing'], status: true },
      { plural: 'ipaddresses', kind: 'IPAddress', shortNames: ['ip'], cluster: true },
      { plural: 'networkpolicies', kind: 'NetworkPolicy', shortNames: ['netpol'] },
      { plural: 'servicecidrs', kind: 'ServiceCIDR', cluster: true, status: true },
    ],
  ),
  ...stored(
    'node.k8s.io',
    ['v1'],
    [{ plural: 'runtimeclasses', kind: 'RuntimeClass', cluster: true }],
  ),
  ...stored(
    'policy',
    ['v1'],
    [
      {
        plural: 'poddisruptionbudgets',
        kind: 'PodDisruptionBudget',
        shortNames: ['pdb'],
        status: true,
      },
    ],
  ),
  ...stored(
    'resource.k8s.io',
    ['v1'],
    [
      { plural: 'deviceclasses', kind: 'DeviceClass', cluster: true },
      { plural: 'resourceclaims', kind: 'ResourceClaim', status: true },
      { plural: 'resourceclaimtemplates', kind: 'ResourceClaimTemplate' },
      { plural: 'resourceslices', kind: 'ResourceSlice', cluster: true },
    ],
  ),
  ...stored(
    'scheduling.k8s.io',
    ['v1'],
    [{ plural: 'priorityclasses', kind: 'PriorityClass', shortNames: ['pc'], cluster: true }],
  ),
  ...stored(
    'storage.k8s.io',
    ['v1'],
    [
      { plural: 'csidrivers', kind: 'CSIDriver', cluster: true },
      { plural: 'csinodes', kind: 'CSINode', cluster: true },
      { plural: 'csistoragecapacities', kind: 'CSIStorageCapacity' },
      { plural: 'storageclasses', kind: 'StorageClass', shortNames: ['sc'], cluster: true },
      { plural: 'volumeattachments', kind: 'VolumeAttachment', cluster: true, status: true },
      {
        plural: 'volumeattributesclasses',
        kind: 'VolumeAttributesClass',
        shortNames: ['vac'],
        cluster: true,
      },
    ],
  ),
];
