import { grpcMethods } from '@aquifer/wire';
import {
  CaptureReportRequestSchema,
  type CaptureReportResponse,
  CaptureState,
  NodeService,
  type CaptureReport as PbCaptureReport,
} from '@aquifer/wire/gen/aquifer/node_pb';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Client } from '@grpc/grpc-js';
import {
  type ControlPlaneEndpoint,
  callMetadata,
  channelCredentials,
  channelOptions,
} from './credentials.ts';

/** What became of one pod's capture. */
export interface CaptureReport {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly state: 'captured' | 'pending' | 'released';
  /** Why it is pending; empty otherwise. */
  readonly reason: string;
}

const METHOD = grpcMethods(NodeService).reportCapture;
const CALL_TIMEOUT_MS = 10_000;

const STATES = {
  captured: CaptureState.CAPTURED,
  pending: CaptureState.PENDING,
  released: CaptureState.RELEASED,
} as const;

/** What a node proxy says of its node. */
export interface NodeReport {
  readonly node: string;
  readonly reports: readonly CaptureReport[];
  /** Uids of all pods that it captures or is to capture; null while something of others may be left on the node. */
  readonly inventory: readonly string[] | null;
}

/** Tells the control plane which pods of this node are captured; throws if it did not take the report. */
export async function reportCapture(
  endpoint: ControlPlaneEndpoint,
  { node, reports, inventory }: NodeReport,
): Promise<void> {
  const client = new Client(
    endpoint.address,
    channelCredentials(endpoint),
    channelOptions(endpoint),
  );
  const encoded: MessageInitShape<typeof CaptureReportRequestSchema>['reports'] = reports.map(
    (report) => ({ ...report, state: STATES[report.state] }) as PbCaptureReport,
  );
  const request = create(CaptureReportRequestSchema, {
    node,
    reports: encoded,
    ...(inventory !== null && { inventory: { uids: [...inventory] } }),
  });
  try {
    await new Promise<CaptureReportResponse | undefined>((resolve, reject) => {
      client.makeUnaryRequest(
        METHOD.path,
        METHOD.requestSerialize,
        METHOD.responseDeserialize,
        request,
        callMetadata(endpoint),
        { deadline: Date.now() + CALL_TIMEOUT_MS },
        (error, response) => {
          if (error === null) resolve(response);
          else reject(error);
        },
      );
    });
  } finally {
    client.close();
  }
}
