/** The environment and the command line of a container, as the kubelet makes them. */

import { API_SERVICE_ADDRESS } from '@aquifer/kube-api';
import { err, ok, type Result } from '@aquifer/model';
import type { Container } from '@aquifer/model/resources';
import { fieldValue, type NodeCapacity, resourceFieldValue } from './downward-fields.ts';
import { allContainers, type NodePod } from './node-pod.ts';

/** Reads the data of a ConfigMap or, decoded, of a Secret; null if there is none of that name. */
export interface ConfigSource {
  data(
    kind: 'configmap' | 'secret',
    namespace: string,
    name: string,
  ): Promise<Readonly<Record<string, Buffer>> | null>;
}

export interface EnvironmentContext {
  readonly pod: NodePod;
  readonly container: Container;
  readonly hostname: string;
  /** Variables that the image brings. */
  readonly image: Readonly<Record<string, string>>;
  readonly capacity: NodeCapacity;
  readonly source: ConfigSource;
}

type Environment = Record<string, string>;
type Variable = NonNullable<Container['env']>[number];
type VariableSource = NonNullable<Variable['valueFrom']>;

const DEFAULTS: Readonly<Environment> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  KUBERNETES_SERVICE_HOST: API_SERVICE_ADDRESS,
  KUBERNETES_SERVICE_PORT: '443',
  KUBERNETES_SERVICE_PORT_HTTPS: '443',
  KUBERNETES_PORT: `tcp://${API_SERVICE_ADDRESS}:443`,
  KUBERNETES_PORT_443_TCP: `tcp://${API_SERVICE_ADDRESS}:443`,
  KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
  KUBERNETES_PORT_443_TCP_PORT: '443',
  KUBERNETES_PORT_443_TCP_ADDR: API_SERVICE_ADDRESS,
};

/** All variables of a container, or the message of its CreateContainerConfigError. */
export async function containerEnvironment(
  context: EnvironmentContext,
): Promise<Result<Environment, string>> {
  const environment: Environment = {
    ...DEFAULTS,
    HOSTNAME: context.hostname,
    ...(context.container.tty === true ? { TERM: 'xterm' } : {}),
    ...context.image,
  };
  for (const entry of context.container.envFrom ?? []) {
    const added = await fromWhole(entry, context);
    if (!added.ok) return added;
    Object.assign(environment, added.value);
  }
  for (const variable of context.container.env ?? []) {
    const value = await variableValue(variable, environment, context);
    if (!value.ok) return value;
    if (value.value !== null) environment[variable.name] = value.value;
  }
  return ok(environment);
}

async function fromWhole(
  entry: NonNullable<Container['envFrom']>[number],
  { pod, source }: EnvironmentContext,
): Promise<Result<Environment, string>> {
  const kind = entry.configMapRef === undefined ? 'secret' : 'configmap';
  const reference = entry.configMapRef ?? entry.secretRef;
  const name = reference?.name ?? '';
  const data = await source.data(kind, pod.metadata.namespace, name);
  if (data === null) {
    return reference?.optional === true ? ok({}) : err(`${kind} "${name}" not found`);
  }
  const prefix = entry.prefix ?? '';
  const entries = Object.entries(data).map(([key, value]) => [prefix + key, value.toString()]);
  return ok(Object.fromEntries(entries));
}

/** Null leaves the variable out: an optional key that does not exist. */
async function variableValue(
  variable: Variable,
  environment: Readonly<Environment>,
  context: EnvironmentContext,
): Promise<Result<string | null, string>> {
  if (variable.valueFrom === undefined) {
    return ok(expandReferences(variable.value ?? '', environment));
  }
  const { fieldRef, resourceFieldRef } = variable.valueFrom;
  if (fieldRef !== undefined) return fieldValue(context.pod, fieldRef.fieldPath);
  if (resourceFieldRef !== undefined) {
    const owner = allContainers(context.pod.spec).find(
      ({ name }) => name === resourceFieldRef.containerName,
    );
    return resourceFieldValue(owner ?? context.container, resourceFieldRef, context.capacity);
  }
  return keyValue(variable.valueFrom, context);
}

async function keyValue(
  from: VariableSource,
  { pod, source }: EnvironmentContext,
): Promise<Result<string | null, string>> {
  const kind = from.configMapKeyRef === undefined ? 'secret' : 'configmap';
  const reference = from.configMapKeyRef ?? from.secretKeyRef;
  if (reference === undefined) return err('invalid variable: valueFrom names no source');
  const { namespace } = pod.metadata;
  const name = reference.name ?? '';
  const data = await source.data(kind, namespace, name);
  const value = data?.[reference.key];
  if (value !== undefined) return ok(value.toString());
  if (reference.optional === true) return ok(null);
  if (data === null) return err(`${kind} "${name}" not found`);
  const shown = kind === 'secret' ? 'Secret' : 'ConfigMap';
  return err(`couldn't find key ${reference.key} in ${shown} ${namespace}/${name}`);
}

/** Replaces `$(NAME)` where NAME is set; `$$(NAME)` is a literal `$(NAME)`, and unknown names stay as they are. */
export function expandReferences(text: string, environment: Readonly<Environment>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (match, name: string | undefined) => {
    if (name === undefined) return '$';
    return environment[name] ?? match;
  });
}

/** The program to run: `command` replaces the image's entrypoint and default arguments, `args` the arguments alone. */
export function commandLine(
  container: Container,
  image: { readonly entrypoint: readonly string[]; readonly args: readonly string[] },
  environment: Readonly<Environment>,
): readonly string[] {
  const isOwnCommand = (container.command?.length ?? 0) > 0;
  const isOwnArgs = (container.args?.length ?? 0) > 0;
  const expanded = (words: readonly string[]): readonly string[] =>
    words.map((word) => expandReferences(word, environment));
  // What the image says is taken as it is.
  const entrypoint = isOwnCommand ? expanded(container.command!) : image.entrypoint;
  const args = isOwnArgs ? expanded(container.args!) : isOwnCommand ? [] : image.args;
  return [...entrypoint, ...args];
}
