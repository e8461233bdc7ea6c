/** What a connection carries from listener to listener inside the proxy (Envoy docs "Set-Filter-State"). */

import {
  type FilterStateValueSchema,
  FilterStateValue_SharedWithUpstream as Shared,
} from '@aquifer/wire/gen/envoy/extensions/filters/common/set_filter_state/v3_pb';
import { ORIGINAL_DST_KEY } from './names.ts';
import type { Init } from './packed.ts';

type FilterState = Init<typeof FilterStateValueSchema>;

function value(objectKey: string, format: string, factoryKey = ''): FilterState {
  const textFormat = { specifier: { case: 'inlineString' as const, value: format } };
  return {
    key: { case: 'objectKey', value: objectKey },
    factoryKey,
    sharedWithUpstream: Shared.ONCE,
    value: {
      case: 'formatString',
      value: { format: { case: 'textFormatSource', value: textFormat } },
    },
  };
}

const LOCAL_KEY = `${ORIGINAL_DST_KEY}.local_ip`;
const HASHABLE = 'istio.hashable_string';

/** From the CONNECT: where it leads, who sent it. */
export const OF_TUNNEL: readonly FilterState[] = [
  value(LOCAL_KEY, '%REQ(:AUTHORITY)%'),
  value('io.istio.connect_authority', '%REQ(:AUTHORITY)%', HASHABLE),
  value(`${ORIGINAL_DST_KEY}.remote_ip`, '%DOWNSTREAM_REMOTE_ADDRESS%'),
  value('io.istio.peer_principal', '%DOWNSTREAM_PEER_URI_SAN%', HASHABLE),
  value('io.istio.local_principal', '%DOWNSTREAM_LOCAL_URI_SAN%', HASHABLE),
];

/** Passed on to the outgoing tunnel. */
export const OF_DIRECT_CONNECTION: readonly FilterState[] = [
  value(LOCAL_KEY, `%FILTER_STATE(${LOCAL_KEY}:PLAIN)%`),
];
