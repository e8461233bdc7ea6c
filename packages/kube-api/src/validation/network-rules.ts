/** What EndpointSlices, Endpoints and NetworkPolicies forbid beyond their schema (kubernetes `pkg/apis/{discovery,core,networking}/validation`). */
import { BlockList, isIPv4 } from 'node:net';
import { itemsOf } from '../defaults/fill.ts';
import { type JsonObject, listOr, objectOr } from '../json.ts';
import { isCidr } from '../schema/formats.ts';
import {
  type Cause,
  forbiddenValue,
  invalidValue,
  requiredValue,
  unsupportedValue,
} from '../status.ts';
import { cidrCauses, endpointAddressCauses } from './addresses.ts';
import { subdomainNameCauses } from './names.ts';
import { portCause, portOrNameCauses, protocolCauses } from './pod-rules.ts';

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];
const policyTypes = ['Egress', 'Ingress'];

/** Ports may be left open, which means all; what is there must be one. */
function optionalPortCauses(port: JsonObject, at: string): Cause[] {
  return [
    ...(port.port === undefined ? [] : portCause(`${at}.port`, port.port)),
    ...(port.protocol === undefined ? [] : protocolCauses(`${at}.protocol`, port.protocol)),
  ];
}

export function endpointSliceCauses(slice: JsonObject): Cause[] {
  const type = String(slice.addressType);
  if (!addressTypes.includes(type)) {
    return [unsupportedValue('addressType', slice.addressType, addressTypes)];
  }
  const addresses = itemsOf(slice, 'endpoints').flatMap((endpoint, at) => {
    const field = `endpoints[${at}].addresses`;
    const given = listOr(endpoint.addresses);
    if (given.length === 0) return [requiredValue(field, 'must contain at least 1 address')];
    return given.flatMap((address, index) =>
      type === 'FQDN'
        ? subdomainNameCauses(`${field}[${index}]`, String(address))
        : endpointAddressCauses(`${field}[${index}]`, address, type),
    );
  });
  const ports = itemsOf(slice, 'ports').flatMap((port, at) =>
    optionalPortCauses(port, `ports[${at}]`),
  );
  return [...addresses, ...ports];
}

export function endpointsCauses(endpoints: JsonObject): Cause[] {
  return itemsOf(endpoints, 'subsets').flatMap((subset, at) => [
    ...['addresses', 'notReadyAddresses'].flatMap((list) =>
      itemsOf(subset, list).flatMap(({ ip, nodeName }, index) => {
        const field = `subsets[${at}].${list}[${index}]`;
        return [
          ...endpointAddressCauses(`${field}.ip`, ip, null),
          ...(typeof nodeName === 'string'
            ? subdomainNameCauses(`${field}.nodeName`, nodeName)
            : []),
        ];
      }),
    ),
    ...itemsOf(subset, 'ports').flatMap((port, index) =>
      optionalPortCauses(port, `subsets[${at}].ports[${index}]`),
    ),
  ]);
}

function blockCauses(block: JsonObject, at: string): Cause[] {
  const causes = cidrCauses(`${at}.cidr`, block.cidr);
  if (causes.length > 0) return causes;
  return listOr(block.except).flatMap((except, index) => {
    const field = `${at}.except[${index}]`;
    const wrong = cidrCauses(field, except);
    if (wrong.length > 0 || isStrictlyWithin(String(except), String(block.cidr))) return wrong;
    return [invalidValue(field, except, 'must be a strict subset of `cidr`')];
  });
}

function isStrictlyWithin(part: string, whole: string): boolean {
  const [address = '', length = ''] = part.split('/');
  const [network = '', prefix = ''] = whole.split('/');
  const block = new BlockList();
  const familyOf = (text: string): 'ipv4' | 'ipv6' => (isIPv4(text) ? 'ipv4' : 'ipv6');
  block.addSubnet(network, Number(prefix), familyOf(network));
  return isCidr(part) && Number(length) > Number(prefix) && block.check(address, familyOf(address));
}

function peerCauses(peer: JsonObject, at: string): Cause[] {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  if (ipBlock === undefined) {
    const isEmpty = podSelector === undefined && namespaceSelector === undefined;
    return isEmpty ? [requiredValue(at, 'must specify a peer')] : [];
  }
  if (podSelector !== undefined || namespaceSelector !== undefined) {
    return [forbiddenValue(at, 'may not specify both ipBlock and another peer')];
  }
  return blockCauses(objectOr(ipBlock), `${at}.ipBlock`);
}

function policyPortCauses({ port, endPort, protocol }: JsonObject, at: string): Cause[] {
  const causes = [
    ...(port === undefined ? [] : portOrNameCauses(`${at}.port`, port)),
    ...(protocol === undefined ? [] : protocolCauses(`${at}.protocol`, protocol)),
  ];
  if (typeof endPort !== 'number') return causes;
  if (typeof port !== 'number') {
    const why = 'may not be specified when `port` is non-numeric or not specified';
    return [...causes, forbiddenValue(`${at}.endPort`, why)];
  }
  if (endPort < port) {
    const why = 'must be greater than or equal to `port`';
    return [...causes, invalidValue(`${at}.endPort`, endPort, why)];
  }
  return [...causes, ...portCause(`${at}.endPort`, endPort)];
}

export function networkPolicyCauses({ spec }: JsonObject): Cause[] {
  const { policyTypes: types, ...rules } = objectOr(spec);
  const directions = [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const;
  const causes = directions.flatMap(([direction, peers]) =>
    itemsOf(rules, direction).flatMap((rule, at) => {
      const field = `spec.${direction}[${at}]`;
      return [
        ...itemsOf(rule, 'ports').flatMap((port, index) =>
          policyPortCauses(port, `${field}.ports[${index}]`),
        ),
        ...itemsOf(rule, peers).flatMap((peer, index) =>
          peerCauses(peer, `${field}.${peers}[${index}]`),
        ),
      ];
    }),
  );
  const wrong = listOr(types).flatMap((type, at) =>
    policyTypes.includes(String(type))
      ? []
      : [unsupportedValue(`spec.policyTypes[${at}]`, type, policyTypes)],
  );
  return [...causes, ...wrong];
}
