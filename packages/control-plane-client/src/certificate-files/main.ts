import { configOrExit } from '@aquifer/runtime';
import { CERTIFICATE_FILES_CONFIG, writeCertificateFiles } from './certificate-files.ts';

/** A program that gets a certificate, writes it to files and ends: an init container beside a proxy that reads files. */
await writeCertificateFiles(
  configOrExit('certificate-files', CERTIFICATE_FILES_CONFIG, process.env),
);
