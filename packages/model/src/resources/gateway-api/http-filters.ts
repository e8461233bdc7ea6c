import { z } from 'zod';
import { keyedList, portNumber, rules } from '../field-types.ts';
import { backendObjectReference, hostname, localObjectReference } from './references.ts';

const header = z.object({ name: z.string().min(1).max(256), value: z.string().min(1).max(4096) });

/** Headers to set, add or remove, on requests or responses. */
export const headerModifier = z.object({
  set: keyedList(header, 'name').max(16).optional(),
  add: keyedList(header, 'name').max(16).optional(),
  remove: z.array(z.string()).max(16).meta({ 'x-kubernetes-list-type': 'set' }).optional(),
});

const pathModifier = z
  .object({
    type: z.enum(['ReplaceFullPath', 'ReplacePrefixMatch']),
    replaceFullPath: z.string().max(1024).optional(),
    replacePrefixMatch: z.string().max(1024).optional(),
  })
  .meta(
    rules(
      ...['replaceFullPath', 'replacePrefixMatch'].flatMap((field) => {
        const type = field.replace('replace', 'Replace');
        return [
          [
            `${field} must be specified when type is set to '${type}'`,
            `self.type == '${type}' ? has(self.${field}) : true`,
          ],
          [
            `type must be '${type}' when ${field} is set`,
            `has(self.${field}) ? self.type == '${type}' : true`,
          ],
        ] as const;
      }),
    ),
  );

/** Sends a copy of the request elsewhere and ignores the response. */
export const requestMirror = z.object({
  backendRef: backendObjectReference,
  percent: z.int32().min(0).max(100).optional(),
  fraction: z
    .object({
      numerator: z.int32().min(0),
      denominator: z.int32().min(1).default(100).optional(),
    })
    .optional(),
});

const cors = z.object({
  allowOrigins: z.array(z.string()).max(64).optional(),
  allowCredentials: z.boolean().optional(),
  allowMethods: z.array(z.string()).max(9).optional(),
  allowHeaders: z.array(z.string()).max(64).optional(),
  exposeHeaders: z.array(z.string()).max(64).optional(),
  maxAge: z.int32().min(1).default(5).optional().describe('Seconds.'),
});

/** The field that each type of filter has, and only that type. */
const FIELDS = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
  ExternalAuth: 'externalAuth',
  ExtensionRef: 'extensionRef',
} as const;

type FilterType = keyof typeof FIELDS;

/** A filter has the field of its type, and none of another. */
export function ownField(...types: readonly FilterType[]) {
  return rules(
    ...types.flatMap((type) => {
      const field = FIELDS[type];
      return [
        [
          `filter.${field} must be nil if the filter.type is not ${type}`,
          `!(has(self.${field}) && self.type != '${type}')`,
        ],
        [
          `filter.${field} must be specified for ${type} filter.type`,
          `!(!has(self.${field}) && self.type == '${type}')`,
        ],
      ] as const;
    }),
  );
}

/** Filters that a list has once at most. */
export function notRepeated(...types: readonly FilterType[]) {
  return types.map(
    (type) =>
      [
        `${type} filter cannot be repeated`,
        `self.filter(f, f.type == '${type}').size() <= 1`,
      ] as const,
  );
}

/** One step of what is done to a matched HTTP request or its response. */
const httpRouteFilter = z
  .object({
    type: z.enum([
      'RequestHeaderModifier',
      'ResponseHeaderModifier',
      'RequestMirror',
      'RequestRedirect',
      'URLRewrite',
      'ExtensionRef',
      'CORS',
      'ExternalAuth',
    ]),
    requestHeaderModifier: headerModifier.optional(),
    responseHeaderModifier: headerModifier.optional(),
    requestMirror: requestMirror.optional(),
    requestRedirect: z
      .object({
        scheme: z.enum(['http', 'https']).optional(),
        hostname: hostname.optional(),
        path: pathModifier.optional(),
        port: portNumber.optional(),
        statusCode: z
          .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
          .default(302)
          .optional(),
      })
      .optional(),
    urlRewrite: z
      .object({ hostname: hostname.optional(), path: pathModifier.optional() })
      .optional(),
    extensionRef: localObjectReference.optional(),
    cors: cors.optional(),
    externalAuth: z
      .object({
        protocol: z.enum(['HTTP', 'GRPC']),
        backendRef: backendObjectReference,
        grpc: z.object({ allowedHeaders: z.array(z.string()).optional() }).optional(),
        http: z
          .object({
            path: z.string().optional(),
            allowedHeaders: z.array(z.string()).optional(),
            allowedResponseHeaders: z.array(z.string()).optional(),
          })
          .optional(),
        forwardBody: z.object({ maxSize: z.int32().optional() }).optional(),
      })
      .optional(),
  })
  .meta(ownField(...(Object.keys(FIELDS) as FilterType[])));

/** What a list of filters may not hold. */
const combinations = rules(
  [
    'May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both',
    "!(self.exists(f, f.type == 'RequestRedirect') && self.exists(f, f.type == 'URLRewrite'))",
  ],
  ...notRepeated(
    'RequestHeaderModifier',
    'ResponseHeaderModifier',
    'RequestRedirect',
    'URLRewrite',
  ),
);

/** The filters of a rule. */
export const httpRouteFilters = z.array(httpRouteFilter).max(16).meta(combinations);

/** The TypeScript type of `httpRouteFilter`. */
export type HTTPRouteFilter = z.infer<typeof httpRouteFilter>;
