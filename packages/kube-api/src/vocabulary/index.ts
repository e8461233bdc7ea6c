export {
  CLAIM_PROTECTION,
  IS_DEFAULT_CLASS,
  PROVISIONED_BY,
  PROVISIONER,
} from './storage-class.ts';
