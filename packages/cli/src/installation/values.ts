/** A field of a manifest that a value decides. */
export interface Place {
  /** `Deployment/istiod`. */
  readonly object: string;
  /** Keys and, in lists, the name of an element: `spec.containers[discovery].image`. */
  readonly field: string;
  /** Numbers are written as strings there, and names as one string with commas between them. */
  readonly asText?: true;
}

/**
 * How a value becomes what is in its places. `set`: as it is. `optional`: the same, and no field when
 * it is empty. `entries`: added to the map that is there. `environment`: a map, added to the variables that are there.
 * `image`: a name in the hub, or a whole reference. `names`: a list of names, each in an object.
 */
type Rendering = 'set' | 'optional' | 'entries' | 'environment' | 'image' | 'names';

type ValueType = 'string' | 'integer' | 'map' | 'list';

/** Something that can be set when the mesh is installed, named as in Istio's charts where it means the same. */
export interface InstallValue {
  /** `pilot.resources`. */
  readonly path: string;
  readonly type: ValueType;
  readonly description: string;
  /** Without it: what the manifest says in the first of its places. */
  readonly default?: unknown;
  readonly rendering: Rendering;
  readonly places: readonly Place[];
}

const PODS = [
  { prefix: 'pilot', object: 'Deployment/istiod', container: 'discovery', image: 'control-plane' },
  { prefix: 'ztunnel', object: 'DaemonSet/ztunnel', container: 'istio-proxy', image: 'ztunnel' },
] as const;

const CONTAINERS = PODS.map(({ object, container }) => ({
  object,
  container: `spec.template.spec.containers[${container}]`,
}));

const OF_PODS = PODS.flatMap(({ prefix, object, container, image }): InstallValue[] => {
  const pod = 'spec.template.spec';
  const at = (field: string): Place[] => [{ object, field }];
  const inContainer = (field: string) => at(`${pod}.containers[${container}].${field}`);
  return [
    {
      path: `${prefix}.image`,
      type: 'string',
      default: image,
      description:
        'Image: a name in the hub, or a whole reference, with its digest where it has one.',
      rendering: 'image',
      places: inContainer('image'),
    },
    {
      path: `${prefix}.resources`,
      type: 'map',
      description: 'Requests and limits of the container.',
      rendering: 'set',
      places: inContainer('resources'),
    },
    {
      path: `${prefix}.env`,
      type: 'map',
      default: {},
      description: 'Further environment variables; docs/config.md has all.',
      rendering: 'environment',
      places: inContainer('env'),
    },
    {
      path: `${prefix}.podAnnotations`,
      type: 'map',
      default: {},
      description: 'Further annotations of the pods.',
      rendering: 'entries',
      places: at('spec.template.metadata.annotations'),
    },
    {
      path: `${prefix}.podLabels`,
      type: 'map',
      default: {},
      description: 'Further labels of the pods.',
      rendering: 'entries',
      places: at('spec.template.metadata.labels'),
    },
    {
      path: `${prefix}.affinity`,
      type: 'map',
      default: {},
      description: 'Affinity of the pods.',
      rendering: 'optional',
      places: at(`${pod}.affinity`),
    },
  ];
});

export const INSTALL_VALUES: readonly InstallValue[] = [
  {
    path: 'global.hub',
    type: 'string',
    default: 'aquifer',
    description: 'Registry and folder of the images.',
    rendering: 'set',
    places: [],
  },
  {
    path: 'global.tag',
    type: 'string',
    default: 'dev',
    description: 'Tag of the images.',
    rendering: 'set',
    places: [],
  },
  {
    path: 'global.imagePullPolicy',
    type: 'string',
    default: '',
    description: 'Always, IfNotPresent or Never; empty: what Kubernetes does.',
    rendering: 'optional',
    places: CONTAINERS.map(({ object, container }) => ({
      object,
      field: `${container}.imagePullPolicy`,
    })),
  },
  {
    path: 'global.imagePullSecrets',
    type: 'list',
    default: [],
    description:
      'Names of the Secrets that the images are pulled with; waypoints look for them in their own namespaces.',
    rendering: 'names',
    places: [
      ...PODS.map(({ object }) => ({ object, field: 'spec.template.spec.imagePullSecrets' })),
      {
        object: 'Deployment/istiod',
        field: 'spec.template.spec.containers[discovery].env[WAYPOINT_IMAGE_PULL_SECRETS].value',
        asText: true,
      },
    ],
  },
  {
    path: 'global.multiCluster.clusterName',
    type: 'string',
    description: 'Name of this cluster.',
    rendering: 'set',
    places: CONTAINERS.map(({ object, container }) => ({
      object,
      field: `${container}.env[CLUSTER_ID].value`,
    })),
  },
  {
    path: 'global.proxy.image',
    type: 'string',
    default: 'waypoint',
    description:
      'Image of waypoints: a name in the hub, or a whole reference, with its digest where it has one.',
    rendering: 'image',
    places: [
      {
        object: 'Deployment/istiod',
        field: 'spec.template.spec.containers[discovery].env[WAYPOINT_IMAGE].value',
      },
    ],
  },
  {
    path: 'meshConfig',
    type: 'map',
    default: {},
    description: 'MeshConfig, for the ConfigMap istio; empty: that ConfigMap is left alone.',
    rendering: 'set',
    places: [],
  },
  {
    path: 'pilot.replicaCount',
    type: 'integer',
    description: 'Replicas of the control plane: all serve, one writes.',
    rendering: 'set',
    places: [{ object: 'Deployment/istiod', field: 'spec.replicas' }],
  },
  {
    path: 'pilot.nodeSelector',
    type: 'map',
    default: {},
    description: 'Labels of the nodes for the control plane.',
    rendering: 'optional',
    places: [{ object: 'Deployment/istiod', field: 'spec.template.spec.nodeSelector' }],
  },
  {
    path: 'pilot.tolerations',
    type: 'list',
    default: [],
    description: 'Taints that the control plane tolerates.',
    rendering: 'optional',
    places: [{ object: 'Deployment/istiod', field: 'spec.template.spec.tolerations' }],
  },
  {
    path: 'ztunnel.nodeSelector',
    type: 'map',
    description: 'Labels of the nodes that get a ztunnel.',
    rendering: 'set',
    places: [{ object: 'DaemonSet/ztunnel', field: 'spec.template.spec.nodeSelector' }],
  },
  {
    path: 'ztunnel.tolerations',
    type: 'list',
    description: 'Taints that ztunnel tolerates.',
    rendering: 'set',
    places: [{ object: 'DaemonSet/ztunnel', field: 'spec.template.spec.tolerations' }],
  },
  {
    path: 'ztunnel.terminationGracePeriodSeconds',
    type: 'integer',
    description: 'Seconds that open connections get when ztunnel is replaced.',
    rendering: 'set',
    places: [
      { object: 'DaemonSet/ztunnel', field: 'spec.template.spec.terminationGracePeriodSeconds' },
      {
        object: 'DaemonSet/ztunnel',
        field:
          'spec.template.spec.containers[istio-proxy].env[TERMINATION_GRACE_PERIOD_SECONDS].value',
        asText: true,
      },
    ],
  },
  {
    path: 'ztunnel.logLevel',
    type: 'string',
    default: 'info',
    description: 'Log level, or a list of scope=level.',
    rendering: 'set',
    places: [
      {
        object: 'DaemonSet/ztunnel',
        field: 'spec.template.spec.containers[istio-proxy].env[RUST_LOG].value',
      },
    ],
  },
  ...OF_PODS,
].toSorted((a, b) => (a.path < b.path ? -1 : 1)) as readonly InstallValue[];
