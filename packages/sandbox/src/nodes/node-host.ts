import type { NodeAddresses } from './addresses.ts';
import type { NodeCapacity } from './downward-fields.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { ImageResolver } from './image-resolver.ts';
import type { NodeProber } from './node-prober.ts';
import type { VolumeSources } from './pod-volumes.ts';
import type { StartSlots } from './start-slots.ts';

/** What a node offers each of its pods. */
export interface NodeHost {
  readonly node: NodeAddresses;
  readonly images: ImageResolver;
  /** Where the layers of images are; see `ImageStore`. */
  readonly layersDirectory: string;
  /** See `copyTools`. */
  readonly toolsDirectory: string;
  /** See `machineMounts` in container-launch. */
  readonly machineMounts: readonly string[];
  readonly capacity: NodeCapacity;
  readonly volumeSources: VolumeSources;
  readonly events: EventRecorder;
  readonly prober: NodeProber;
  /** Those of the machine: its nodes share them. */
  readonly startSlots: StartSlots;
}
