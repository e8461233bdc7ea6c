import { err, ok, type Result } from '@aquifer/model';
import { csrBytes } from './csr-rules.ts';
import { bytesOf, fromDer, itemsOf, objectIdOf } from './der.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';
/** GeneralName [6] uniformResourceIdentifier (RFC 5280, 4.2.1.6). */
const URI = 6;
const ATTRIBUTES = 3;

/** URIs that a request asks for (RFC 2986, 4.1). The error names whatever else it asks for: another extension, another kind of name. */
export function namesOfCsr(pem: string): Result<string[], string> {
  const der = csrBytes(pem);
  if (der === null) return err('the CSR is not one PEM block of type CERTIFICATE REQUEST');
  try {
    const info = itemsOf(itemsOf(fromDer(der))[0]);
    const uris: string[] = [];
    for (const attribute of info[ATTRIBUTES] === undefined ? [] : itemsOf(info[ATTRIBUTES])) {
      const [type, values] = itemsOf(attribute);
      if (objectIdOf(type) !== EXTENSION_REQUEST) continue;
      for (const extension of itemsOf(itemsOf(values)[0])) {
        const parts = itemsOf(extension);
        const oid = objectIdOf(parts[0]);
        if (oid !== SUBJECT_ALT_NAME) return err(`the CSR asks for extension ${oid}`);
        for (const name of itemsOf(fromDer(bytesOf(parts.at(-1))))) {
          if ((name.type as number) !== URI) return err('the CSR asks for names that are no URIs');
          uris.push(bytesOf(name).toString());
        }
      }
    }
    return ok(uris);
  } catch (error) {
    return err(`the CSR cannot be parsed: ${(error as Error).message}`);
  }
}
