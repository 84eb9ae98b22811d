import type { V1LabelSelector, V1ObjectMeta, V1Secret, V1StatefulSet } from "@kubernetes/client-node";
import type { KubernetesOptions } from "./options.ts";
import type { NodeSpec } from "./provider.ts";

/*
 * A node is a StatefulSet of one, with a Secret of its own: so it keeps its name and its volume wherever it is put, it reads no token but its own,
 * and it can be changed or taken away without touching another. A set of several for the whole group could be scaled behind the manager's back,
 * by nodes that nobody adopts and others that nobody drains.
 */

const CONFIG_FOLDER = "/etc/metanode";
const CONFIG_KEY = "agent.json";
const DATA_FOLDER = "/var/lib/metanode";

/** Where the digest of a node stands. */
export const DIGEST = "metanode.deploy/digest";
export const GROUP = "app.kubernetes.io/component";
/** The node that a pod is. */
export const NODE = "app.kubernetes.io/name";

/** What finds everything of a topology. */
export function selectorOf(topology: string): string {
  return `app.kubernetes.io/managed-by=metanode,app.kubernetes.io/part-of=${topology}`;
}

export interface RenderContext {
  readonly topology: string;
  readonly namespace: string;
  readonly options: KubernetesOptions;
}

/** The objects of a node, for server-side apply. */
export function objectsOf(node: NodeSpec, context: RenderContext): readonly [V1Secret, V1StatefulSet] {
  const { name, group, digest, config } = node;
  const labels = {
    [NODE]: name,
    [GROUP]: group,
    "app.kubernetes.io/part-of": context.topology,
    "app.kubernetes.io/managed-by": "metanode",
  };
  const metadata: V1ObjectMeta = { name, namespace: context.namespace, labels, annotations: { [DIGEST]: digest } };
  const secret: V1Secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    type: "Opaque",
    data: { [CONFIG_KEY]: Buffer.from(JSON.stringify(config)).toString("base64") },
  };
  return [secret, setOf(metadata, { matchLabels: { [NODE]: name } }, context)];
}

function setOf(metadata: V1ObjectMeta, selector: V1LabelSelector, { options }: RenderContext): V1StatefulSet {
  const { storage, storageClass, stopMs } = options;
  const name = metadata.name as string;
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata,
    spec: {
      replicas: 1,
      serviceName: name,
      selector,
      // The deployment itself drains a node, then ends its pod.
      updateStrategy: { type: "OnDelete" },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
      template: {
        metadata: { labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} },
        spec: { ...podOf(name, options), terminationGracePeriodSeconds: Math.ceil(stopMs / 1_000) },
      },
      ...(storage === undefined
        ? {}
        : {
            volumeClaimTemplates: [
              {
                metadata: { name: "data", labels: metadata.labels ?? {} },
                spec: {
                  accessModes: ["ReadWriteOnce"],
                  resources: { requests: { storage } },
                  ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
                },
              },
            ],
          }),
    },
  };
}

type PodSpec = NonNullable<NonNullable<V1StatefulSet["spec"]>["template"]["spec"]>;

function podOf(secretName: string, options: KubernetesOptions): PodSpec {
  const { image, command, user, storage, serviceAccount, imagePullSecrets, nodeSelector, resources } = options;
  return {
    containers: [
      {
        name: "agent",
        image,
        command: [...command],
        args: ["--config", `${CONFIG_FOLDER}/${CONFIG_KEY}`, "--data", DATA_FOLDER],
        resources,
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        volumeMounts: [
          { name: "config", mountPath: CONFIG_FOLDER, readOnly: true },
          { name: "data", mountPath: DATA_FOLDER },
        ],
      },
    ],
    volumes: [
      { name: "config", secret: { secretName, defaultMode: 0o440 } },
      ...(storage === undefined ? [{ name: "data", emptyDir: {} }] : []),
    ],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      seccompProfile: { type: "RuntimeDefault" },
    },
    enableServiceLinks: false,
    // An agent asks nothing of the cluster.
    ...(serviceAccount === undefined ? { automountServiceAccountToken: false } : { serviceAccountName: serviceAccount }),
    ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
  };
}
