/** Entry of a node's `NodeProber`: makes the probes it is sent, from the network namespace it was started in. */
import { attemptNetworkProbe, type NetworkProbe } from './probes.ts';

/** What it is sent. */
export interface ProbeQuestion {
  readonly id: number;
  readonly probe: NetworkProbe;
}

/** What it answers, in any order. */
export interface ProbeAnswer {
  readonly id: number;
  readonly failure: string | null;
}

process.on('message', ({ id, probe }: ProbeQuestion) => {
  void attemptNetworkProbe(probe).then((failure) => {
    const answer: ProbeAnswer = { id, failure };
    process.send?.(answer);
  });
});
process.on('disconnect', () => process.exit());
