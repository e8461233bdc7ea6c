interface Named {
  readonly metadata?:
    | {
        readonly name?: string | undefined;
        readonly namespace?: string | undefined;
        readonly labels?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
}

/** On EndpointSlices: the Service that they belong to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** Whether the slice has endpoints of the Service. */
export function isSliceOf({ metadata: slice }: Named, { metadata: service }: Named): boolean {
  return (
    slice?.namespace === service?.namespace && slice?.labels?.[SERVICE_NAME_LABEL] === service?.name
  );
}
