import { z } from 'zod';
import { intOrString, keyedList, quantity } from '../field-types.ts';

const localObjectReference = { name: z.string().optional(), optional: z.boolean().optional() };

const envVarSource = z.object({
  fieldRef: z
    .object({ apiVersion: z.string().optional(), fieldPath: z.string() })
    .optional()
    .describe('Selects a field of the pod, such as metadata.name, status.podIP or spec.nodeName.'),
  resourceFieldRef: z
    .object({
      containerName: z.string().optional(),
      resource: z.string(),
      divisor: quantity.optional(),
    })
    .optional(),
  configMapKeyRef: z.object({ key: z.string(), ...localObjectReference }).optional(),
  secretKeyRef: z.object({ key: z.string(), ...localObjectReference }).optional(),
});

const envVar = z.object({
  name: z.string().describe('Name of the environment variable.'),
  value: z.string().optional().describe('Variable references $(VAR_NAME) are expanded.'),
  valueFrom: envVarSource.optional(),
});

const envFromSource = z.object({
  prefix: z.string().optional(),
  configMapRef: z.object(localObjectReference).optional(),
  secretRef: z.object(localObjectReference).optional(),
});

const containerPort = z.object({
  name: z.string().optional(),
  containerPort: z
    .int32()
    .describe("Number of port to expose on the pod's IP address. 0 < x < 65536."),
  hostPort: z.int32().optional(),
  hostIP: z.string().optional(),
  protocol: z.string().default('TCP').optional(),
});

const httpHeader = z.object({ name: z.string(), value: z.string() });

const action = {
  exec: z.object({ command: z.array(z.string()).optional() }).optional(),
  httpGet: z
    .object({
      path: z.string().optional(),
      port: intOrString,
      host: z.string().optional(),
      scheme: z.string().optional(),
      httpHeaders: z.array(httpHeader).optional(),
    })
    .optional(),
  tcpSocket: z.object({ port: intOrString, host: z.string().optional() }).optional(),
};

const probe = z.object({
  ...action,
  grpc: z.object({ port: z.int32(), service: z.string().nullable().optional() }).optional(),
  initialDelaySeconds: z.int32().optional(),
  timeoutSeconds: z.int32().optional().describe('Seconds until the probe times out. Default 1.'),
  periodSeconds: z.int32().optional().describe('Seconds between probes. Default 10.'),
  successThreshold: z.int32().optional().describe('Default 1.'),
  failureThreshold: z.int32().optional().describe('Default 3.'),
  terminationGracePeriodSeconds: z.int().optional(),
});

const lifecycleHandler = z.object({
  ...action,
  sleep: z.object({ seconds: z.int() }).optional(),
});

/** Kubernetes API: SELinux label of a container. */
export const seLinuxOptions = z.object({
  user: z.string().optional(),
  role: z.string().optional(),
  type: z.string().optional(),
  level: z.string().optional(),
});

/** Kubernetes API: a seccomp or AppArmor profile. */
export const profile = z.object({ type: z.string(), localhostProfile: z.string().optional() });

/** Kubernetes API: settings of Windows containers, stored only. */
export const windowsOptions = z.object({
  gmsaCredentialSpecName: z.string().optional(),
  gmsaCredentialSpec: z.string().optional(),
  runAsUserName: z.string().optional(),
  hostProcess: z.boolean().optional(),
});

const securityContext = z.object({
  capabilities: z
    .object({ add: z.array(z.string()).optional(), drop: z.array(z.string()).optional() })
    .optional(),
  privileged: z.boolean().optional(),
  seLinuxOptions: seLinuxOptions.optional(),
  windowsOptions: windowsOptions.optional(),
  runAsUser: z.int().optional(),
  runAsGroup: z.int().optional(),
  runAsNonRoot: z.boolean().optional(),
  readOnlyRootFilesystem: z.boolean().optional(),
  allowPrivilegeEscalation: z.boolean().optional(),
  procMount: z.string().optional(),
  seccompProfile: profile.optional(),
  appArmorProfile: profile.optional(),
});

/** Kubernetes API: what a container asks for and may use at most. */
export const resourceRequirements = z.object({
  limits: z.record(z.string(), quantity).optional(),
  requests: z.record(z.string(), quantity).optional(),
  claims: keyedList(
    z.object({ name: z.string(), request: z.string().optional() }),
    'name',
  ).optional(),
});

const volumeMount = z.object({
  name: z.string(),
  mountPath: z.string(),
  subPath: z.string().optional(),
  subPathExpr: z.string().optional(),
  readOnly: z.boolean().optional(),
  recursiveReadOnly: z.string().optional(),
  mountPropagation: z.string().optional(),
});

/** A container of a pod, regular or init. */
export const container = z.object({
  name: z.string().describe('Name of the container. Unique in the pod, a DNS label.'),
  image: z.string().optional().describe('Container image name.'),
  command: z.array(z.string()).optional().describe('Entrypoint array. Not run in a shell.'),
  args: z.array(z.string()).optional().describe('Arguments to the entrypoint.'),
  workingDir: z.string().optional(),
  ports: keyedList(containerPort, 'containerPort', 'protocol').optional(),
  env: keyedList(envVar, 'name').optional(),
  envFrom: z.array(envFromSource).optional(),
  resources: resourceRequirements.optional(),
  resizePolicy: z
    .array(z.object({ resourceName: z.string(), restartPolicy: z.string() }))
    .optional(),
  restartPolicy: z
    .string()
    .optional()
    .describe('Only for init containers: Always makes it a sidecar that runs beside the pod.'),
  restartPolicyRules: z.array(z.looseObject({ action: z.string() })).optional(),
  volumeMounts: keyedList(volumeMount, 'mountPath').optional(),
  volumeDevices: keyedList(
    z.object({ devicePath: z.string(), name: z.string() }),
    'devicePath',
  ).optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  startupProbe: probe.optional(),
  lifecycle: z
    .object({
      postStart: lifecycleHandler.optional(),
      preStop: lifecycleHandler.optional(),
      stopSignal: z.string().optional(),
    })
    .optional(),
  terminationMessagePath: z.string().optional(),
  terminationMessagePolicy: z.string().optional(),
  imagePullPolicy: z.string().optional().describe('One of Always, Never, IfNotPresent.'),
  securityContext: securityContext.optional(),
  stdin: z.boolean().optional(),
  stdinOnce: z.boolean().optional(),
  tty: z.boolean().optional(),
});

/** The TypeScript type of `container`. */
export type Container = z.infer<typeof container>;
/** The TypeScript type of `probe`. */
export type Probe = z.infer<typeof probe>;
