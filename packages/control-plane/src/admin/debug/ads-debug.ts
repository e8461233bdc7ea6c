/** Debugging over ADS, as istioctl does: a request of a type `istio.io/debug…` is answered once, and nothing follows. */
import { ClientConfigSchema } from '@aquifer/wire/gen/envoy/service/status/v3_pb';
import { create } from '@bufbuild/protobuf';
import { AnySchema, anyPack } from '@bufbuild/protobuf/wkt';
import { Refusal } from '../../errors.ts';
import { DEBUG_TYPE, type DebugRequest, type NamedAny } from '../../push/debug-request.ts';
import { type DebugSource, debugPage, proxyNamed, visible } from './debug-pages.ts';
import { proxyDump } from './proxy-dump.ts';
import { clientConfig } from './sync-status.ts';
import { viewerOf } from './viewer.ts';

const SYNC_STATUS = `${DEBUG_TYPE}/syncz`;
const CONFIG_DUMP = `${DEBUG_TYPE}/config_dump`;

/** Throws a Refusal. */
export function answerDebug(
  { typeUrl, names, caller }: DebugRequest,
  systemNamespace: string,
  source: DebugSource,
): readonly NamedAny[] {
  if (caller === null) {
    throw new Refusal(
      'CP_UNAUTHENTICATED',
      'authentication required: connect to the TLS port with a token',
    );
  }
  const viewer = viewerOf(caller, systemNamespace);
  const connections = visible(viewer, source);
  if (typeUrl === SYNC_STATUS) {
    return connections.map((connection) => ({
      name: connection.proxy.id,
      any: anyPack(ClientConfigSchema, clientConfig(connection)),
    }));
  }
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw new Refusal('CP_BAD_REQUEST', 'exactly one debug request is required');
  }
  if (typeUrl === CONFIG_DUMP) {
    const found = proxyNamed(name, connections);
    if (found === undefined) throw new Refusal('CP_BAD_REQUEST', `no proxy ${name} is connected`);
    return proxyDump(found).map((any) => ({ name, any }));
  }
  // `istio.io/debug` names a page with its query; as in Istio, a page may also be the type's last part.
  const target =
    typeUrl === DEBUG_TYPE ? name : `${typeUrl.slice(DEBUG_TYPE.length + 1)}?proxyID=${name}`;
  const answer = debugPage(target, viewer, source);
  if (answer.kind === 'refused') {
    throw new Refusal(
      answer.status === 403 ? 'CP_NOT_IDENTICAL' : 'CP_BAD_REQUEST',
      answer.message,
    );
  }
  const value = Buffer.from(JSON.stringify(answer.body, null, 2));
  return [{ name, any: create(AnySchema, { typeUrl: DEBUG_TYPE, value }) }];
}
