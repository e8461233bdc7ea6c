import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ChainAuthority } from '../../../../test/fixtures/certificate-chains.ts';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { tunnelsTo } from '../../../../test/fixtures/tunnels.ts';
import { ConnectListener, type ConnectRequest } from '../connect-listener.ts';
import { exchangeDuplex } from '../exchange-duplex.ts';
import type { WorkloadCertificate } from '../tls.ts';
import { parseRevocationLists } from './revocation-list.ts';
import { Revocations } from './revocations.ts';

const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const CLIENT = 'spiffe://cluster.local/ns/shop/sa/client';
const SERVER_SERIAL = 0x51;
const CLIENT_SERIAL = 0xc1;
const BELOW_SERIAL = 0xb0;

let root: ChainAuthority;
let below: ChainAuthority;
let lowest: ChainAuthority;
let server: WorkloadCertificate;
let client: WorkloadCertificate;
let serverOfRoot: WorkloadCertificate;
beforeAll(() => {
  root = ChainAuthority.root();
  below = root.authority('below', BELOW_SERIAL);
  lowest = below.authority('lowest');
  server = lowest.issue(SERVER, SERVER_SERIAL);
  client = lowest.issue(CLIENT, CLIENT_SERIAL);
  serverOfRoot = root.issue(SERVER, SERVER_SERIAL);
});
afterAll(() => {
  root[Symbol.dispose]();
});

/** Revocations of one end, with what metrics would count. */
class CountedRevocations extends Revocations {
  readonly rejected: string[];
  readonly untracked: string[];

  constructor(...files: readonly Buffer[]) {
    const rejected: string[] = [];
    const untracked: string[] = [];
    super({
      onRejected: (role) => rejected.push(role),
      onUntracked: (role) => untracked.push(role),
    });
    this.rejected = rejected;
    this.untracked = untracked;
    this.replace(files.flatMap((file) => parseRevocationLists(file)));
  }
}

interface Ends {
  readonly ofServer?: Revocations;
  readonly ofClient?: Revocations;
  readonly server?: WorkloadCertificate;
  readonly client?: WorkloadCertificate;
  /** Default: accepts. */
  readonly onConnect?: (request: ConnectRequest) => void;
}

/** A server that accepts every CONNECT, and a client's tunnels to it. */
async function pair(ends: Ends) {
  const failures: string[] = [];
  const ended: string[] = [];
  const listener = new ConnectListener({
    certificate: ends.server ?? server,
    trustDomain: 'cluster.local',
    revocations: ends.ofServer ?? null,
    onConnect: (request) => {
      if (ends.onConnect !== undefined) return ends.onConnect(request);
      const stream = exchangeDuplex(request.accept());
      stream.resume();
      stream.once('error', (error) => ended.push(error.message));
    },
    onHandshakeFailed: (_peer, error) => failures.push(error.message),
  });
  onTestFinished(() => listener.abort());
  listener.server.listen(0, '127.0.0.1');
  await once(listener.server, 'listening');
  const { port } = listener.server.address() as AddressInfo;
  const { ofClient } = ends;
  const tunnels = tunnelsTo(port, {
    certificate: ends.client ?? client,
    peer: { match: 'exact', uris: [SERVER] },
    ...(ofClient !== undefined && { revocations: ofClient }),
  });
  return { tunnels, failures, ended };
}

const serial = (number: number): string => number.toString(16).toUpperCase().padStart(2, '0');
const revokesServer = (): Buffer => lowest.list([serial(SERVER_SERIAL)]);
const revokesClient = (): Buffer => lowest.list([serial(CLIENT_SERIAL)]);
const revokesBelow = (): Buffer => root.list([serial(BELOW_SERIAL)]);

describe('a tunnel is not made', () => {
  test.for([
    ['itself', revokesServer],
    ['an authority above it', revokesBelow],
  ] as const)('to a server that is revoked: %s (C165)', async ([, list]) => {
    const ofClient = new CountedRevocations(list());
    const { tunnels } = await pair({ ofClient });
    await expect(tunnels.lease()).rejects.toMatchObject({
      code: 'HB_CERT_REVOKED',
      message: 'tls handshake error: peer certificate revoked by CRL',
    });
    expect(ofClient.rejected).toEqual(['server']);
  });

  test.for([
    ['itself', revokesClient],
    ['an authority above it', revokesBelow],
  ] as const)('for a client that is revoked: %s (C166)', async ([, list]) => {
    const ofServer = new CountedRevocations(list());
    const { tunnels, failures } = await pair({ ofServer });
    await expect(tunnels.lease()).rejects.toThrow(/tls|http2/);
    expect(failures[0]).toBe('tls handshake error: peer certificate revoked by CRL');
    expect(ofServer.rejected).toContain('client');
  });
});

describe('an open tunnel', () => {
  test('ends at the server when its client is revoked, and says why (C167)', async () => {
    const ofServer = new CountedRevocations();
    const { tunnels, ended } = await pair({ ofServer });
    const stream = await tunnels.open();
    stream.resume();
    const failed = once(stream, 'error');
    ofServer.replace(parseRevocationLists(revokesClient()));
    await failed;
    await eventually(() => ended.length === 1);
    expect(ended[0]).toBe('connection closed: peer certificate revoked by CRL');
    expect(ofServer.rejected).toEqual(['client']);
  });

  test('ends at the client when its server is revoked, and says why (C167)', async () => {
    const ofClient = new CountedRevocations();
    const { tunnels } = await pair({ ofClient });
    const stream = await tunnels.open();
    stream.resume();
    const failed = once(stream, 'error');
    ofClient.replace(parseRevocationLists(revokesBelow()));
    expect(String(await failed)).toContain('connection closed: peer certificate revoked by CRL');
    expect(ofClient.rejected).toEqual(['server']);
    expect(tunnels.pool.size).toBe(0);
  });

  test('that has ended is not counted as ended by a revocation', async () => {
    const ofClient = new CountedRevocations();
    const { tunnels } = await pair({ ofClient });
    await tunnels.lease();
    tunnels.pool.abort();
    ofClient.replace(parseRevocationLists(revokesServer()));
    expect(ofClient.rejected).toEqual([]);
  });
});

describe('a tunnel stands', () => {
  test('when others of its authority are revoked, or the same number of another authority (C168)', async () => {
    const lists = [lowest.list(['77']), root.list([serial(SERVER_SERIAL)])];
    const ofClient = new CountedRevocations(...lists);
    const { tunnels } = await pair({ ofClient });
    const { exchange } = await tunnels.lease();
    ofClient.replace(lists.flatMap((list) => parseRevocationLists(list)));
    expect(ofClient.rejected).toEqual([]);
    expect(exchange).toBeDefined();
    await tunnels.lease();
    expect(tunnels.dialled).toBe(1);
  });

  test('when an authority of the same name has revoked the same number (C168)', async () => {
    using namesake = ChainAuthority.root();
    const twin = below.authority('lowest');
    const lists = [twin.list([serial(SERVER_SERIAL)]), namesake.list([serial(BELOW_SERIAL)])];
    const ofClient = new CountedRevocations(...lists);
    const { tunnels } = await pair({ ofClient });
    await tunnels.lease();
    expect(ofClient.rejected).toEqual([]);
  });
});

test('what a peer sends beside its chain does not hide that it is revoked (C168)', async () => {
  using namesake = ChainAuthority.root();
  const [own = ''] = serverOfRoot.chain.split(/(?<=-----END CERTIFICATE-----\n)/);
  const junk = [namesake.certificatePem, namesake.authority('below').certificatePem];
  const padded = { ...serverOfRoot, chain: [own, ...junk].join('') };
  const ofClient = new CountedRevocations(root.list([serial(SERVER_SERIAL)]));
  const { tunnels } = await pair({ ofClient, server: padded });
  await expect(tunnels.lease()).rejects.toMatchObject({ code: 'HB_CERT_REVOKED' });
  const clean = new CountedRevocations(root.list([]), namesake.list(['65']));
  const other = await pair({ ofClient: clean, server: padded });
  await other.tunnels.lease();
  expect(clean.rejected).toEqual([]);
});

test('a chain that is longer than anybody’s is refused', async () => {
  const [own = ''] = serverOfRoot.chain.split(/(?<=-----END CERTIFICATE-----\n)/);
  const padded = { ...serverOfRoot, chain: own + root.certificatePem.repeat(20) };
  const ofClient = new CountedRevocations();
  const { tunnels } = await pair({ ofClient, server: padded });
  await expect(tunnels.lease()).rejects.toMatchObject({ code: 'HB_CERT_REVOKED' });
});

test('a request that is not answered yet is told that its client was revoked', async () => {
  const ofServer = new CountedRevocations();
  const aborted = Promise.withResolvers<string>();
  const asked = Promise.withResolvers<void>();
  const { tunnels } = await pair({
    ofServer,
    onConnect: (request) => {
      request.onAbort(({ code }) => aborted.resolve(code));
      asked.resolve();
    },
  });
  const lease = tunnels.lease().catch(() => null);
  await asked.promise;
  ofServer.replace(parseRevocationLists(revokesClient()));
  expect(await aborted.promise).toBe('HB_CERT_REVOKED');
  tunnels.pool.abort();
  await lease;
});
