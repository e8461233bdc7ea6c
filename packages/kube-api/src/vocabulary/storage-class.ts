/** What the API server, the controllers and the nodes have to know of each other about volumes that outlive pods. */

/** The provisioner behind the default StorageClass: each volume is a directory of this machine. */
export const PROVISIONER = 'aquifer.dev/directory';
/** On volumes that the provisioner made: who it was. */
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
/** On the StorageClass of claims that name none. */
export const IS_DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
/** The finalizer that keeps a claim as long as a pod uses it. */
export const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection';
