import { ACCESS_LOGS } from './access-log.ts';
import { type CapabilityTable, type MessageCapabilities, tableOf } from './capability.ts';
import { CLUSTERS } from './cluster.ts';
import { ENDPOINTS } from './endpoint.ts';
import { HTTP_FILTERS } from './filters.ts';
import { CONNECTION_MANAGERS } from './http-connection-manager.ts';
import { LISTENERS } from './listener.ts';
import { ROUTES } from './route.ts';
import { TUNNELS } from './tunnels.ts';
import { VALUES } from './values.ts';

/** Some of the messages that resources consist of, under a title. */
export interface CapabilityArea {
  readonly title: string;
  readonly messages: readonly MessageCapabilities[];
}

/** In the order in which they are told to users. */
export const AREAS: readonly CapabilityArea[] = [
  { title: 'Listeners', messages: LISTENERS },
  { title: 'HTTP connection managers', messages: CONNECTION_MANAGERS },
  { title: 'HTTP filters and policies', messages: HTTP_FILTERS },
  { title: 'Routes', messages: ROUTES },
  { title: 'Clusters', messages: CLUSTERS },
  { title: 'Endpoints', messages: ENDPOINTS },
  { title: 'Access logs', messages: ACCESS_LOGS },
  { title: 'Values', messages: VALUES },
];

const MESSAGES = AREAS.flatMap(({ messages }) => messages);

/** Every field of Envoy's configuration that is known here, and what becomes of it. */
export const CAPABILITIES: CapabilityTable = tableOf(MESSAGES);

/** The same in the resources that describe tunnels. */
export const TUNNEL_CAPABILITIES: CapabilityTable = tableOf(MESSAGES, TUNNELS);
