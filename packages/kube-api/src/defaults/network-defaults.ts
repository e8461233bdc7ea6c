/** Defaults of what belongs to Services and to the network between pods. */
import { isObject, type JsonObject, listOr, objectOr } from '../json.ts';
import { fill, fillEmpty, itemsOf, madeObject } from './fill.ts';

/** Ports have a name, empty if none, and TCP. */
export function endpointSliceDefaults(slice: JsonObject): void {
  for (const port of itemsOf(slice, 'ports')) {
    fill(port, 'name', '');
    fill(port, 'protocol', 'TCP');
  }
}

/** Ports are TCP. */
export function endpointsDefaults(endpoints: JsonObject): void {
  for (const subset of itemsOf(endpoints, 'subsets')) {
    for (const port of itemsOf(subset, 'ports')) fillEmpty(port, 'protocol', 'TCP');
  }
}

/** A policy that says nothing of its types is of ingress, and of egress too if it has such rules. */
export function networkPolicyDefaults(policy: JsonObject): void {
  const spec = madeObject(policy, 'spec');
  for (const rule of [...itemsOf(spec, 'ingress'), ...itemsOf(spec, 'egress')]) {
    for (const port of itemsOf(rule, 'ports')) fill(port, 'protocol', 'TCP');
  }
  if (listOr(spec.policyTypes).length > 0) return;
  spec.policyTypes = listOr(spec.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

/** Parameters are of the whole cluster. */
export function ingressClassDefaults(ingressClass: JsonObject): void {
  const { parameters } = objectOr(ingressClass.spec);
  if (isObject(parameters)) fill(parameters, 'scope', 'Cluster');
}
