/** Which Services stand in front of the proxies of a Gateway (spec control-plane 5.2). */
import type { Gateway, GatewayClass } from '@aquifer/model/resources';
import { GATEWAY_CONTROLLER, NAME_OVERRIDE_ANNOTATION, WAYPOINT_CONTROLLER } from '../labels.ts';
import { type MeshSettings, serviceHostname } from '../mesh.ts';
import { annotationsOf, nameOf, namespaceOf } from '../object.ts';

type Address = NonNullable<Gateway['spec']['addresses']>[number];

/** Whether Gateways of the class are deployed here: waypoints, and gateways for clients outside of the mesh. */
export function isRunHere({ spec: { controllerName } }: GatewayClass): boolean {
  return controllerName === WAYPOINT_CONTROLLER || controllerName === GATEWAY_CONTROLLER;
}

/** Whether `spec.addresses` names Services that somebody else runs, so that nothing is deployed for the Gateway. */
export function isManual({ spec }: Gateway): boolean {
  const [first, ...others] = spec.addresses ?? [];
  return first !== undefined && (others.length > 0 || typeOf(first) !== 'IPAddress');
}

function typeOf({ type = 'IPAddress' }: Address): string {
  return type;
}

/** Name of the Deployment and the Service that a Gateway becomes: its own for a waypoint, else with its class behind it. */
export function generatedName(gateway: Gateway, controller: string): string {
  const ending = controller === GATEWAY_CONTROLLER ? `-${gateway.spec.gatewayClassName}` : '';
  return annotationsOf(gateway)[NAME_OVERRIDE_ANNOTATION] || `${nameOf(gateway)}${ending}`;
}

/** By hostname; a short name in `spec.addresses` is of a Service of the Gateway's namespace. */
export function servicesOfGateway(
  gateway: Gateway,
  controller: string,
  mesh: Pick<MeshSettings, 'clusterDomain'>,
): readonly string[] {
  const hostname = (name: string) => serviceHostname(mesh, namespaceOf(gateway), name);
  if (!isManual(gateway)) return [hostname(generatedName(gateway, controller))];
  return (gateway.spec.addresses ?? [])
    .filter((address) => typeOf(address) === 'Hostname')
    .map(({ value = '' }) => (value.includes('.') ? value : hostname(value)));
}

/** Addresses that nothing can be done with; none where the Gateway is deployed here. */
export function unsupportedAddresses(gateway: Gateway): readonly string[] {
  if (!isManual(gateway)) return [];
  return (gateway.spec.addresses ?? [])
    .filter((address) => typeOf(address) !== 'Hostname')
    .map(({ value = '' }) => value);
}
