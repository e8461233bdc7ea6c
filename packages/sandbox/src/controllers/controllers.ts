import { EventRecorder } from '../nodes/event-recorder.ts';
import { runAutoscalers } from './autoscaler.ts';
import type { Controller, ControllerDeps, Informers } from './controller.ts';
import { runCronJobs } from './cron-job.ts';
import { runDaemonSets } from './daemon-set.ts';
import { runDeployments } from './deployment.ts';
import { runDisruptionBudgets } from './disruption.ts';
import { runEndpointSlices } from './endpoint-slice.ts';
import { runEndpoints } from './endpoints.ts';
import { Informer } from './informer.ts';
import { runJobs } from './job.ts';
import { runLoadBalancers } from './load-balancer.ts';
import { runReplicaSets } from './replica-set.ts';
import {
  AUTOSCALERS,
  CLAIMS,
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  DISRUPTION_BUDGETS,
  ENDPOINT_SLICES,
  JOBS,
  NODES,
  PODS,
  REPLICA_SETS,
  SERVICES,
  STATEFUL_SETS,
  VOLUMES,
} from './resource-keys.ts';
import { runScheduler } from './scheduler.ts';
import { runStatefulSets } from './stateful-set.ts';
import { runTaintEviction } from './taint-eviction.ts';
import { runVolumeClaims } from './volume-claims.ts';
import { runVolumes } from './volumes.ts';

const CONTROLLERS: Readonly<Record<string, (deps: ControllerDeps) => Controller>> = {
  'default-scheduler': runScheduler,
  'taint-eviction-controller': runTaintEviction,
  'service-controller': runLoadBalancers,
  'deployment-controller': runDeployments,
  'replicaset-controller': runReplicaSets,
  'daemonset-controller': runDaemonSets,
  'job-controller': runJobs,
  'cronjob-controller': runCronJobs,
  'endpoint-slice-controller': runEndpointSlices,
  'endpoint-controller': runEndpoints,
  'statefulset-controller': runStatefulSets,
  controllermanager: runDisruptionBudgets,
  'horizontal-pod-autoscaler': runAutoscalers,
  'persistentvolume-controller': runVolumeClaims,
  'persistentvolume-reclaimer': runVolumes,
};

/** All controllers of the cluster, at work from `startControllers` to `stop`. */
export interface RunningControllers {
  stop(): void;
}

/** Resolves when every controller has seen what exists. `onError` hears of failures that are tried again. */
export async function startControllers(
  options: Pick<ControllerDeps, 'client' | 'volumesDirectory' | 'metrics' | 'onError'>,
): Promise<RunningControllers> {
  const { client } = options;
  const informers: Informers = {
    pods: new Informer(client, PODS),
    nodes: new Informer(client, NODES),
    services: new Informer(client, SERVICES),
    slices: new Informer(client, ENDPOINT_SLICES),
    deployments: new Informer(client, DEPLOYMENTS),
    replicaSets: new Informer(client, REPLICA_SETS),
    daemonSets: new Informer(client, DAEMON_SETS),
    jobs: new Informer(client, JOBS),
    cronJobs: new Informer(client, CRON_JOBS),
    statefulSets: new Informer(client, STATEFUL_SETS),
    disruptionBudgets: new Informer(client, DISRUPTION_BUDGETS),
    autoscalers: new Informer(client, AUTOSCALERS),
    claims: new Informer(client, CLAIMS),
    volumes: new Informer(client, VOLUMES),
  };
  const running = Object.entries(CONTROLLERS).map(([component, run]) =>
    run({ ...options, informers, events: new EventRecorder(client, component) }),
  );
  // Children first: a parent must not look before its children are known.
  const { nodes, pods, slices, replicaSets, ...parents } = informers;
  for (const informer of [nodes, pods, slices, replicaSets]) await informer.start();
  await Promise.all(Object.values(parents).map((informer) => informer.start()));
  // Replica sets and pods that came before what they belong to was known are looked at once more.
  return {
    stop() {
      for (const controller of running) controller.stop();
      for (const informer of Object.values(informers)) informer.stop();
    },
  };
}
