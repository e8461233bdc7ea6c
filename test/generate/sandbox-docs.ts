/** Writes `docs/sandbox.md` from the table of what has no effect in the sandbox. Run by `npm run generate`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WITHOUT_EFFECT, type WithoutEffect } from '@aquifer/kube-api';
import { table } from './config-docs.ts';

const file = join(import.meta.dirname, '../../docs/sandbox.md');

const DOES = `# What the sandbox does, and does not

<!-- Written by test/generate/sandbox-docs.ts; change the table in packages/kube-api/src/admission/without-effect.ts. -->

The sandbox is a Kubernetes cluster on one machine: \`aquifer sandbox up\`. It is for trying, developing, testing and comparing;
how it is built is in [its README](../packages/sandbox/README.md).

## It does

`;

const WITHOUT_EFFECT_TITLE = `
## It stores without effect

Manifests with the following can be applied, so that what a real cluster gets can be tried here. It has no effect, and the
write says so in a \`Warning:\`, which kubectl and helm print.
`;

/** Each with what is meant by it. */
const PARTS: readonly (readonly string[])[] = [
  ['', ''],
  [
    'kubectl 1.30 to 1.37, helm, client-go, controller-runtime',
    'every verb, in JSON and protobuf; server-side apply, strategic, merge and JSON patches, watches with bookmarks, tables, dry runs, `exec`, `attach`, `run -it`, `debug`, `logs`, `port-forward`, `proxy`, `cp`, `top`',
  ],
  [
    'custom resources',
    'schemas, defaults, CEL rules, status and scale, printer columns, field selectors',
  ],
  [
    'access',
    'client certificates, tokens of service accounts (bound, renewed), RBAC, admission webhooks',
  ],
  [
    'workloads',
    'Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob; HorizontalPodAutoscalers by processor time and memory; taints; disruption budgets; garbage collection; namespaces',
  ],
  [
    'images',
    'programs of this machine by a name (`--image NAME=PROGRAM`), archives of docker and OCI (`aquifer sandbox images load`), registries, with `imagePullSecrets` where they want a login',
  ],
  [
    'pods',
    'init, sidecar and ephemeral containers, probes, lifecycle hooks, restarts with back-off, volumes, environment, users and groups, limits of memory and processor time',
  ],
  [
    'network',
    'an address for each pod, Services (cluster addresses, node ports, load balancers, headless, external names, session affinity), EndpointSlices, DNS, NetworkPolicies; the way out of the machine with `--egress`',
  ],
  ['storage', 'claims of the class `standard`: a directory of this machine'],
];

const SAYS_NO = `
## It refuses

What is not stored says so itself: an image that cannot be had ends in \`ErrImagePull\`, a volume of a type that is not there in
\`CreateContainerConfigError\`, \`proxy\` to nodes in 404. A protobuf field of another version of Kubernetes is refused with 415, a
rule of CEL that cannot be evaluated with 422, a body of more than 300 levels or with a field named \`__proto__\` with 400. What pods
answer through \`proxy\` is passed on as it is: redirections lead back
through it, links in pages do not.
`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function section(heading: string, rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(cell));
  return `\n### ${heading}\n\n${table([['what', 'the sandbox'], ...cells])}\n`;
}

const kindOf = (collection: string): string => {
  const [group = '', plural = ''] = collection.split('/');
  return group === '' ? `\`${plural}\`` : `\`${plural}.${group}\``;
};

/** `spec.type`, with the values that have an effect. */
function fieldOf({ path = '', unless = [] }: WithoutEffect): string {
  const values = unless.map((value) => `\`${JSON.stringify(value)}\``);
  return `\`${path}\`${values.length === 0 ? '' : ` (other than ${values.join(', ')})`}`;
}

/** The text that the page has to have. */
export function sandboxPage(): string {
  const kinds = WITHOUT_EFFECT.filter(({ path }) => path === undefined);
  const fields = WITHOUT_EFFECT.filter(({ path }) => path !== undefined);
  const ofPods = fields.filter(({ collections }) => collections === 'pods');
  const named = ({ collections }: WithoutEffect): string =>
    collections === 'pods' ? '' : collections.map(kindOf).join(', ');
  return [
    DOES,
    `${table(PARTS)}\n`,
    WITHOUT_EFFECT_TITLE,
    section(
      'Kinds',
      kinds.map((row) => [named(row), row.says]),
    ),
    section(
      'Fields of pods and of pod templates',
      ofPods.map((row) => [fieldOf(row), row.says]),
    ),
    section(
      'Fields of other kinds',
      fields
        .filter((row) => row.collections !== 'pods')
        .map((row) => [`${named(row)} ${fieldOf(row)}`, row.says]),
    ),
    SAYS_NO,
  ].join('');
}

export function sandboxPageOnDisk(): string {
  return readFileSync(file, 'utf8');
}

if (import.meta.main) writeFileSync(file, sandboxPage());
