import { ApiVersion, type ConfigSourceSchema } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { type Init, seconds } from './packed.ts';

/** The stream that a resource came by brings what it refers to. It is waited for without a limit. */
export const OVER_ADS: Init<typeof ConfigSourceSchema> = {
  configSourceSpecifier: { case: 'ads', value: {} },
  initialFetchTimeout: seconds(0),
  resourceApiVersion: ApiVersion.V3,
};
