import { configOrExit, integerKey, terminationSignal } from '@aquifer/runtime';
import { LOAD_GENERATOR_PORT } from '../load.ts';
import { startLoadGenerator } from './load-server.ts';

/** The client of a comparison, as a program in a pod. */
const { port } = configOrExit(
  'load-generator',
  {
    port: integerKey('PORT', 'Port on the loopback address that takes orders.', {
      default: LOAD_GENERATOR_PORT,
      min: 1,
      max: 65_535,
    }),
  },
  process.env,
);
startLoadGenerator(port);
await terminationSignal();
process.exit(0);
