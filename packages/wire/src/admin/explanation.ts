/** What `/debug/explain` of the control plane answers, and `aquifer explain` prints. */

/** An object of the Kubernetes API; namespace `''` is cluster scope. */
export interface ExplainedObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** An object behind a line; `fields` are those that were read and there, such as `spec.ports[0].port`. */
export interface Reason {
  readonly object: ExplainedObject;
  readonly fields: readonly string[];
}

/** Something that a proxy is served, or that is said of the object. */
export interface ExplainedLine {
  readonly what:
    | 'address'
    | 'capture'
    | 'cluster'
    | 'condition'
    | 'endpoint'
    | 'filter chain'
    | 'listener'
    | 'policy'
    | 'route'
    | 'waypoint';
  readonly name: string;
  /** Empty if the name says it all. */
  readonly detail: string;
  readonly because: readonly Reason[];
  readonly lines: readonly ExplainedLine[];
}

export interface Explanation {
  readonly object: ExplainedObject;
  readonly lines: readonly ExplainedLine[];
}
