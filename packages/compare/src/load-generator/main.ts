import {
  describeProblems,
  EXIT_BAD_CONFIG,
  integerKey,
  parseEnv,
  terminationSignal,
} from '@aquifer/runtime';
import { LOAD_GENERATOR_PORT } from '../load.ts';
import { startLoadGenerator } from './load-server.ts';

/** The client of a comparison, as a program in a pod. */
const config = parseEnv(
  {
    port: integerKey('PORT', 'Port on the loopback address that takes orders.', {
      default: LOAD_GENERATOR_PORT,
      min: 1,
      max: 65_535,
    }),
  },
  process.env,
);
if (!config.ok) {
  console.error(describeProblems(config.error));
  process.exit(EXIT_BAD_CONFIG);
}
startLoadGenerator(config.value.port);
await terminationSignal();
process.exit(0);
