import { formatSocketAddress } from '@aquifer/wire';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { fromBinary, type JsonObject } from '@bufbuild/protobuf';
import type { ServedResources } from '../data-plane/served-resources.ts';

/** A listener on `/listeners`, as a line and as envoy.admin.v3.ListenerStatus. */
interface ListenerStatus {
  readonly line: string;
  readonly status: JsonObject;
}

/** Those inside of the proxy have a name for an address, as in Envoy. */
export function listenerStatuses(resources: ServedResources): readonly ListenerStatus[] {
  return resources.all('listener').map(({ name, body }) => {
    const { address } = fromBinary(ListenerSchema, body).address ?? {};
    if (address?.case !== 'socketAddress') {
      const local_address = { envoy_internal_address: { server_listener_name: name } };
      return { line: `${name}::envoy://${name}/`, status: { name, local_address } };
    }
    const { address: ip, portSpecifier } = address.value;
    const port = portSpecifier.case === 'portValue' ? portSpecifier.value : 0;
    const local_address = { socket_address: { address: ip, port_value: port } };
    return {
      line: `${name}::${formatSocketAddress({ ip, port })}`,
      status: { name, local_address },
    };
  });
}
