import { describeProblems, EXIT_BAD_CONFIG, parseEnv } from '@aquifer/runtime';
import { CERTIFICATE_FILES_CONFIG, writeCertificateFiles } from './certificate-files.ts';

/** A program that gets a certificate, writes it to files and ends: an init container beside a proxy that reads files. */
const config = parseEnv(CERTIFICATE_FILES_CONFIG, process.env);
if (!config.ok) {
  console.error(`no certificate can be asked for:\n${describeProblems(config.error)}`);
  process.exit(EXIT_BAD_CONFIG);
}
await writeCertificateFiles(config.value);
