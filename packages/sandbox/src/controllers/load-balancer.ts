import type { ApiObject } from '@aquifer/kube-api';
import { loadBalancerAddresses } from '../nodes/addresses.ts';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { SERVICES } from './resource-keys.ts';
import { writeStatus } from './write-status.ts';

/** Gives every Service of type LoadBalancer an address that works from this machine, and takes it back. */
export function runLoadBalancers(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** Given out, by the uid of the Service; the informer may not show it yet. */
  const given = new Map<string, string>();
  return runController(deps, { parents: informers.services, kind: 'Service' }, async (service) => {
    const { uid = '' } = service.metadata;
    if (!isOurs(service)) {
      if (given.delete(uid))
        await writeStatus(client, SERVICES, service, { loadBalancer: { ingress: null } });
      return;
    }
    const address = addressOf(service) ?? given.get(uid) ?? freeAddress();
    given.set(uid, address);
    if (addressOf(service) !== null) return;
    const loadBalancer = { ingress: [{ ip: address, ipMode: 'VIP' }] };
    await writeStatus(client, SERVICES, service, { loadBalancer });
    events.normal(service, 'EnsuredLoadBalancer', 'Ensured load balancer');
  });

  function freeAddress(): string {
    const services = informers.services.list();
    const living = new Set(services.map(({ metadata }) => metadata.uid));
    for (const uid of given.keys()) if (!living.has(uid)) given.delete(uid);
    const used = new Set([...given.values(), ...services.map(addressOf)]);
    const free = loadBalancerAddresses().find((address) => !used.has(address));
    if (free === undefined) throw new Error('all addresses of load balancers are taken');
    return free;
  }
}

/** A class names somebody else who does it. */
function isOurs({ spec }: ApiObject): boolean {
  return spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined;
}

function addressOf({ status }: ApiObject): string | null {
  return status?.loadBalancer?.ingress?.[0]?.ip ?? null;
}
