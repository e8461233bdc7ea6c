/**
 * Takes HBONE for one pod and hands it to the pod's ports, as its node proxy does; what it needs is in the JSON file that
 * the only argument names.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { ConnectListener, splice } from '@aquifer/hbone';
import type { TestCertificate } from '../../fixtures/certificates.ts';

export interface TunnelServerConfig {
  readonly podIp: string;
  readonly certificate: TestCertificate;
}

const { podIp, certificate } = JSON.parse(
  readFileSync(process.argv[2]!, 'utf8'),
) as TunnelServerConfig;
const listener = new ConnectListener({
  certificate,
  trustDomain: 'cluster.local',
  onConnect: (request) => {
    const port = Number(request.authority.split(':').at(-1));
    const pod = connect({ host: podIp, port, allowHalfOpen: true, noDelay: true });
    pod.once('error', () => request.refuse(503));
    pod.once('connect', () => {
      void splice(request.accept(), pod, { received: () => undefined, sent: () => undefined });
    });
  },
  onHandshakeFailed: () => undefined,
});
listener.server.listen(15_008, podIp);
process.stdin.resume().once('end', () => process.exit(0));
