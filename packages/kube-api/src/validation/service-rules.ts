/** What Services forbid beyond their schema (kubernetes `pkg/apis/core/validation`, `ValidateService`). */

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
import { addressCauses, endpointAddressCauses } from './addresses.ts';
import { duplicateNames, labelCauses, labelNameCauses, subdomainNameCauses } from './names.ts';
import { portCause, portOrNameCauses, protocolCauses } from './pod-rules.ts';

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const affinities = ['ClientIP', 'None'];

function typeCauses(spec: JsonObject): Cause[] {
  const headless = spec.clusterIP === 'None';
  if (headless && (spec.type === 'NodePort' || spec.type === 'LoadBalancer')) {
    const why = `may not be set to 'None' for ${spec.type} services`;
    return [invalidValue('spec.clusterIPs[0]', 'None', why)];
  }
  if (spec.type !== 'ExternalName') return [];
  const name = (stringOr(spec.externalName) ?? '').replace(/\.$/, '');
  return name === ''
    ? [requiredValue('spec.externalName')]
    : subdomainNameCauses('spec.externalName', name);
}

/** Addresses that a Service asks for, and those that its load balancer has. */
function addressesCauses({ status }: JsonObject, spec: JsonObject): Cause[] {
  const isNone = (address: unknown): boolean => address === 'None' || address === '';
  const asked = [spec.clusterIP ?? '', ...listOr(spec.clusterIPs)].filter((ip) => !isNone(ip));
  return [
    ...[...new Set(asked)].flatMap((ip) => addressCauses('spec.clusterIPs[0]', ip)),
    ...listOr(spec.externalIPs).flatMap((ip, at) =>
      endpointAddressCauses(`spec.externalIPs[${at}]`, ip, null),
    ),
    ...itemsOf(objectOr(objectOr(status).loadBalancer), 'ingress').flatMap(({ ip = '' }, at) =>
      ip === '' ? [] : addressCauses(`status.loadBalancer.ingress[${at}].ip`, ip),
    ),
  ];
}

function portsCauses(spec: JsonObject): Cause[] {
  const ports = itemsOf(spec, 'ports');
  const causes: Cause[] = [];
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    const name = stringOr(port.name) ?? '';
    if (name !== '') causes.push(...labelNameCauses(`${at}.name`, name));
    else if (ports.length > 1) causes.push(requiredValue(`${at}.name`));
    causes.push(...portCause(`${at}.port`, port.port));
    causes.push(...protocolCauses(`${at}.protocol`, port.protocol));
    if (port.targetPort !== port.port) {
      causes.push(...portOrNameCauses(`${at}.targetPort`, port.targetPort));
    }
  }
  return [...causes, ...duplicateNames(ports, 'spec.ports')];
}

/** Go prints a port of its own, without the fields that make no difference. */
function shownPort({ protocol, port }: JsonObject): JsonObject {
  const rest = { AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
  return { Name: '', Protocol: protocol, ...rest };
}

function repeatedPorts(spec: JsonObject): Cause[] {
  const ports = itemsOf(spec, 'ports');
  const causes: Cause[] = [];
  const keyOf = (port: JsonObject): string => `${String(port.protocol)}/${String(port.port)}`;
  const keys = ports.map(keyOf);
  const nodeKeys = ports.map((port) => `${String(port.protocol)}/${String(port.nodePort ?? '')}`);
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    const nodePort = Number(port.nodePort ?? 0);
    if (nodePort !== 0 && spec.type === 'ClusterIP') {
      const why = "may not be used when `type` is 'ClusterIP'";
      causes.push(forbiddenValue(`${at}.nodePort`, why));
    } else if (nodePort !== 0 && nodeKeys.indexOf(nodeKeys[index] ?? '') < index) {
      causes.push(duplicateValue(`${at}.nodePort`, nodePort));
    }
    if (keys.indexOf(keys[index] ?? '') < index) causes.push(duplicateValue(at, shownPort(port)));
  }
  return causes;
}

/** Mistakes of a Service, but for those of the addresses and node ports it asks for. */
export function serviceCauses(service: JsonObject): Cause[] {
  const spec = objectOr(service.spec);
  const causes: Cause[] = [];
  const isHeadless = spec.clusterIP === 'None' && spec.type === 'ClusterIP';
  if (itemsOf(spec, 'ports').length === 0 && !isHeadless && spec.type !== 'ExternalName') {
    causes.push(requiredValue('spec.ports'));
  }
  causes.push(...typeCauses(spec), ...portsCauses(spec));
  causes.push(...labelCauses(spec.selector, 'spec.selector'));
  if (!affinities.includes(String(spec.sessionAffinity))) {
    causes.push(unsupportedValue('spec.sessionAffinity', spec.sessionAffinity, affinities));
  }
  if (!serviceTypes.includes(String(spec.type))) {
    causes.push(unsupportedValue('spec.type', spec.type, serviceTypes));
  }
  return [...causes, ...repeatedPorts(spec), ...addressesCauses(service, spec)];
}
