/** What pods and pod templates forbid (kubernetes `pkg/apis/core/validation`, `ValidatePodSpec`), with its wording. */

import { itemsOf } from '../defaults/fill.ts';
import { type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import {
  type Cause,
  duplicateValue,
  forbiddenValue,
  invalidValue,
  requiredValue,
  unsupportedValue,
} from '../status.ts';
import { addressCauses } from './addresses.ts';
import { duplicateNames, labelNameCauses, subdomainNameCauses } from './names.ts';
import { resourceCauses } from './quantities.ts';
import { mountCauses, volumeCauses } from './volume-rules.ts';

const protocols = ['SCTP', 'TCP', 'UDP'];

/** A port number. */
export function portCause(field: string, port: unknown): Cause[] {
  return typeof port === 'number' && port >= 1 && port <= 65_535
    ? []
    : [invalidValue(field, port, 'must be between 1 and 65535, inclusive')];
}

/** A port's name: at most 15 letters, digits and hyphens, with a letter among them. */
function portNameCauses(field: string, name: string): Cause[] {
  const problems: readonly (readonly [boolean, string])[] = [
    [name.length > 15, 'must be no more than 15 characters'],
    [
      !/^[-a-z0-9]+$/.test(name),
      'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    ],
    [!/[a-z]/.test(name), 'must contain at least one letter (a-z)'],
    [name.includes('--'), 'must not contain consecutive hyphens'],
    [name.startsWith('-') || name.endsWith('-'), 'must not begin or end with a hyphen'],
  ];
  return problems.filter(([wrong]) => wrong).map(([, why]) => invalidValue(field, name, why));
}

/** A number or the name of a port. */
export function portOrNameCauses(field: string, port: unknown): Cause[] {
  return typeof port === 'string' ? portNameCauses(field, port) : portCause(field, port);
}

/** A protocol that is there must be one that Kubernetes knows. */
export function protocolCauses(field: string, protocol: unknown): Cause[] {
  return protocols.includes(String(protocol)) ? [] : [unsupportedValue(field, protocol, protocols)];
}

function portCauses(container: JsonObject, path: string): Cause[] {
  const ports = itemsOf(container, 'ports');
  const each = ports.flatMap((port, index) => {
    const at = `${path}.ports[${index}]`;
    const name = stringOr(port.name) ?? '';
    return [
      ...(name === '' ? [] : portNameCauses(`${at}.name`, name)),
      ...(port.containerPort === undefined || port.containerPort === 0
        ? [requiredValue(`${at}.containerPort`)]
        : portCause(`${at}.containerPort`, port.containerPort)),
      ...(port.hostPort === undefined || port.hostPort === 0
        ? []
        : portCause(`${at}.hostPort`, port.hostPort)),
      ...protocolCauses(`${at}.protocol`, port.protocol),
    ];
  });
  return [...each, ...duplicateNames(ports, `${path}.ports`)];
}

function environmentCauses(container: JsonObject, path: string): Cause[] {
  return itemsOf(container, 'env').flatMap((variable, index): Cause[] => {
    const at = `${path}.env[${index}]`;
    const name = stringOr(variable.name) ?? '';
    const causes: Cause[] = [];
    if (name === '') causes.push(requiredValue(`${at}.name`));
    else if (!/^[ -<>-~]+$/.test(name)) {
      const why =
        "a valid environment variable name must consist only of printable ASCII characters other than '='";
      causes.push(invalidValue(`${at}.name`, name, why));
    }
    if (variable.valueFrom !== undefined && (stringOr(variable.value) ?? '') !== '') {
      const why = 'may not be specified when `value` is not empty';
      causes.push(invalidValue(`${at}.valueFrom`, '', why));
    }
    return causes;
  });
}

const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const probeKinds = ['exec', 'httpGet', 'tcpSocket', 'grpc'];

function probeCauses(probe: unknown, at: string): Cause[] {
  if (probe === undefined) return [];
  const given = objectOr(probe);
  const kinds = probeKinds.filter((kind) => given[kind] !== undefined);
  const causes: Cause[] =
    kinds.length === 0 ? [requiredValue(at, 'must specify a handler type')] : [];
  for (const kind of kinds.slice(1)) {
    causes.push(forbiddenValue(`${at}.${kind}`, 'may not specify more than 1 handler type'));
  }
  for (const kind of ['httpGet', 'tcpSocket']) {
    const handler = given[kind];
    if (handler !== undefined) {
      causes.push(...portOrNameCauses(`${at}.${kind}.port`, objectOr(handler).port));
    }
  }
  for (const count of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds']) {
    const value = given[count];
    if (typeof value === 'number' && value < 0) {
      causes.push(invalidValue(`${at}.${count}`, value, 'must be greater than or equal to 0'));
    }
  }
  return causes;
}

function imageCauses(image: unknown, path: string): Cause[] {
  const text = stringOr(image) ?? '';
  if (text === '') return [requiredValue(`${path}.image`)];
  if (text === text.trim()) return [];
  return [invalidValue(`${path}.image`, text, 'must not have leading or trailing whitespace')];
}

function containerCauses(
  container: JsonObject,
  path: string,
  volumes: ReadonlySet<unknown>,
): Cause[] {
  const policy = container.imagePullPolicy;
  return [
    ...labelNameCauses(`${path}.name`, container.name),
    ...imageCauses(container.image, path),
    ...portCauses(container, path),
    ...environmentCauses(container, path),
    ...mountCauses(container, path, volumes),
    ...(policy === undefined || pullPolicies.includes(String(policy))
      ? []
      : [unsupportedValue(`${path}.imagePullPolicy`, policy, pullPolicies)]),
    ...resourceCauses(objectOr(container.resources), `${path}.resources`),
    ...probeCauses(container.livenessProbe, `${path}.livenessProbe`),
    ...probeCauses(container.readinessProbe, `${path}.readinessProbe`),
    ...probeCauses(container.startupProbe, `${path}.startupProbe`),
  ];
}

/** What stands in files of the pod: each is one line or less. */
function nameCauses(spec: JsonObject, at: string): Cause[] {
  const dns = objectOr(spec.dnsConfig);
  const texts = (list: unknown): string[] => listOr(list).map(String);
  const aliases = itemsOf(spec, 'hostAliases').flatMap(({ ip, hostnames }, index) => [
    ...addressCauses(`${at}.hostAliases[${index}].ip`, ip),
    ...texts(hostnames).flatMap((name, place) =>
      subdomainNameCauses(`${at}.hostAliases[${index}].hostnames[${place}]`, name),
    ),
  ]);
  return [
    ...['hostname', 'subdomain'].flatMap((field) =>
      spec[field] ? labelNameCauses(`${at}.${field}`, spec[field]) : [],
    ),
    ...aliases,
    ...texts(dns.nameservers).flatMap((server, index) =>
      addressCauses(`${at}.dnsConfig.nameservers[${index}]`, server),
    ),
    ...texts(dns.searches).flatMap((search, index) =>
      /^\.?$/.test(search)
        ? []
        : subdomainNameCauses(
            `${at}.dnsConfig.searches[${index}]`,
            search.replace(/\.$/, '').replaceAll('_', 'x'),
          ),
    ),
    ...itemsOf(dns, 'options').flatMap(({ name, value = '' }, index) =>
      /^\S+$/.test(String(name)) && /^\S*$/.test(String(value))
        ? []
        : [requiredValue(`${at}.dnsConfig.options[${index}].name`)],
    ),
  ];
}

const LAST_ID = 2 ** 31 - 1;

/** Users and groups are numbers that Linux has; times are not negative. */
function securityCauses(spec: JsonObject, at: string): Cause[] {
  const holders = [
    [spec, at] as const,
    ...['containers', 'initContainers'].flatMap((list) =>
      itemsOf(spec, list).map(
        (container, index) => [container, `${at}.${list}[${index}]`] as const,
      ),
    ),
  ];
  const ids = holders.flatMap(([holder, path]) =>
    ['runAsUser', 'runAsGroup', 'fsGroup'].flatMap((field) => {
      const id = objectOr(holder.securityContext)[field];
      return typeof id !== 'number' || (id >= 0 && id <= LAST_ID)
        ? []
        : [
            invalidValue(
              `${path}.securityContext.${field}`,
              id,
              'must be between 0 and 2147483647, inclusive',
            ),
          ];
    }),
  );
  const { activeDeadlineSeconds: deadline } = spec;
  return typeof deadline === 'number' && (deadline < 1 || deadline > LAST_ID)
    ? [
        ...ids,
        invalidValue(
          `${at}.activeDeadlineSeconds`,
          deadline,
          'must be between 1 and 2147483647, inclusive',
        ),
      ]
    : ids;
}

const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

/**
 * Mistakes of the spec of a pod or of a template. `claims` are volumes that each pod of the template gets besides those
 * that it lists.
 */
export function podSpecCauses(
  spec: JsonObject,
  at: string,
  claims: readonly unknown[] = [],
): Cause[] {
  const causes = volumeCauses(spec, at);
  const containers = itemsOf(spec, 'containers');
  if (containers.length === 0) causes.push(requiredValue(`${at}.containers`));
  const volumes = new Set([...itemsOf(spec, 'volumes').map((volume) => volume.name), ...claims]);
  for (const list of ['containers', 'initContainers']) {
    const items = itemsOf(spec, list);
    for (const [index, container] of items.entries()) {
      causes.push(...containerCauses(container, `${at}.${list}[${index}]`, volumes));
    }
    causes.push(...duplicateNames(items, `${at}.${list}`));
  }
  const regular = containers.map((container) => container.name);
  for (const [index, { name }] of itemsOf(spec, 'initContainers').entries()) {
    if (regular.includes(name)) {
      causes.push(duplicateValue(`${at}.initContainers[${index}].name`, name));
    }
  }
  const { restartPolicy, dnsPolicy } = spec;
  if (restartPolicy !== undefined && !restartPolicies.includes(String(restartPolicy))) {
    causes.push(unsupportedValue(`${at}.restartPolicy`, restartPolicy, restartPolicies));
  }
  if (dnsPolicy !== undefined && !dnsPolicies.includes(String(dnsPolicy))) {
    causes.push(unsupportedValue(`${at}.dnsPolicy`, dnsPolicy, dnsPolicies));
  }
  return [...causes, ...nameCauses(spec, at), ...securityCauses(spec, at)];
}
