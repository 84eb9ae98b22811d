import type { AppsV1Api, CoreV1Api, KubernetesObjectApi, V1Pod } from "@kubernetes/client-node";
import { coreError, type MetanodeError } from "@metanode/core/errors";
import { DIGEST, GROUP, NODE, objectsOf, selectorOf } from "./kubernetes-objects.ts";
import type { KubernetesOptions } from "./options.ts";
import type { DeployProvider, MadeNode, NodeSpec, ProviderContext } from "./provider.ts";
import { lastLines } from "./text.ts";
import { until } from "./until.ts";

/** Who owns the fields that server-side apply sets. */
const FIELD_MANAGER = "metanode-deploy";
const LOOK_MS = 200;
/** Beyond the time that a pod has to end, for the cluster to see that it has. */
const MARGIN_MS = 30_000;

/** Why a container waits that will not start by waiting. */
const HOPELESS: ReadonlySet<string> = new Set([
  "CrashLoopBackOff",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);

/** @throws {MetanodeError} call.unsupported – @kubernetes/client-node is not installed; config.invalid – no such context */
export async function openKubernetes(options: KubernetesOptions, { topology }: ProviderContext): Promise<DeployProvider> {
  const client = await import("@kubernetes/client-node").catch((cause: unknown) => {
    throw coreError("call.unsupported", "Kubernetes needs a package more: npm install @kubernetes/client-node", { cause });
  });
  const config = new client.KubeConfig();
  try {
    if (options.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(options.kubeconfig);
  } catch (cause) {
    throw coreError("config.invalid", `the kubeconfig cannot be used: ${(cause as Error).message}`, { cause });
  }
  if (options.context !== undefined) {
    if (config.getContextObject(options.context) === null)
      throw coreError(
        "config.invalid",
        `the kubeconfig has no context ${options.context}; \`kubectl config get-contexts\` lists those it has`,
      );
    config.setCurrentContext(options.context);
  }
  const namespace = options.namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? "default";
  return new Kubernetes({
    options,
    topology,
    namespace,
    strategy: client.PatchStrategy.ServerSideApply,
    objects: client.KubernetesObjectApi.makeApiClient(config),
    core: config.makeApiClient(client.CoreV1Api),
    apps: config.makeApiClient(client.AppsV1Api),
  });
}

interface Parts {
  readonly options: KubernetesOptions;
  readonly topology: string;
  readonly namespace: string;
  readonly strategy: "application/apply-patch+yaml";
  readonly objects: KubernetesObjectApi;
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
}

/** Nodes as pods of a cluster. */
class Kubernetes implements DeployProvider {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async run(node: NodeSpec, signal?: AbortSignal): Promise<void> {
    const { core, objects, strategy, namespace } = this.#parts;
    const { name } = node;
    const before = await this.#pod(name);
    if (!(await this.#isThere(name))) {
      await asked(() => core.deleteNamespacedPersistentVolumeClaim({ name: claimOf(name), namespace }));
    }
    for (const object of objectsOf(node, this.#parts)) {
      await asked(() => objects.patch(object, undefined, undefined, FIELD_MANAGER, true, strategy));
    }
    if (before === undefined) return;
    // A pod that is put in its place before the set has read what is new would be as the old one.
    await this.#until(() => this.#isObserved(name), signal);
    await asked(() => core.deleteNamespacedPod({ name: podOf(name), namespace }));
    await this.#until(async () => (await this.#pod(name))?.metadata?.uid !== before.metadata?.uid, signal);
  }

  async list(): Promise<readonly MadeNode[]> {
    const { apps, core, namespace, topology } = this.#parts;
    const labelSelector = selectorOf(topology);
    const [sets, pods] = await Promise.all([
      asked(() => apps.listNamespacedStatefulSet({ namespace, labelSelector })),
      asked(() => core.listNamespacedPod({ namespace, labelSelector })),
    ]);
    const podOfNode = new Map((pods?.items ?? []).map((pod) => [pod.metadata?.labels?.[NODE], pod]));
    return (sets?.items ?? []).map(({ metadata }): MadeNode => {
      const name = metadata?.name ?? "";
      const pod = podOfNode.get(name);
      return {
        name,
        group: metadata?.labels?.[GROUP] ?? "",
        digest: metadata?.annotations?.[DIGEST] ?? "",
        state: pod !== undefined && isLost(pod) ? "ended" : "running",
        place: `pod ${namespace}/${podOf(name)}${pod?.spec?.nodeName === undefined ? "" : ` on ${pod.spec.nodeName}`}`,
      };
    });
  }

  async destroy(name: string): Promise<void> {
    const { apps, core, namespace } = this.#parts;
    await asked(() => apps.deleteNamespacedStatefulSet({ name, namespace, propagationPolicy: "Background" }));
    await asked(() => core.deleteNamespacedPod({ name: podOf(name), namespace }));
    await this.#until(async () => (await this.#pod(name)) === undefined);
    await asked(() => core.deleteNamespacedSecret({ name, namespace }));
    await asked(() => core.deleteNamespacedPersistentVolumeClaim({ name: claimOf(name), namespace }));
  }

  async log(name: string, lines: number): Promise<readonly string[]> {
    const { core, namespace } = this.#parts;
    const pod = await this.#pod(name);
    if (pod === undefined) return [];
    const read = (previous: boolean): Promise<string | undefined> =>
      asked(() => core.readNamespacedPodLog({ name: podOf(name), namespace, tailLines: lines, previous })).catch(() => undefined);
    // Of one that is started again and again, the life before says why.
    const text = (await read(false)) || (await read(true)) || "";
    return [...lastLines(text, lines), ...troublesOf(pod)].slice(-lines);
  }

  async #isThere(name: string): Promise<boolean> {
    const { apps, namespace } = this.#parts;
    return (await asked(() => apps.readNamespacedStatefulSet({ name, namespace }))) !== undefined;
  }

  async #isObserved(name: string): Promise<boolean> {
    const { apps, namespace } = this.#parts;
    const set = await asked(() => apps.readNamespacedStatefulSet({ name, namespace }));
    return (set?.status?.observedGeneration ?? 0) >= (set?.metadata?.generation ?? 0);
  }

  #pod(name: string): Promise<V1Pod | undefined> {
    const { core, namespace } = this.#parts;
    return asked(() => core.readNamespacedPod({ name: podOf(name), namespace }));
  }

  /** @throws {MetanodeError} call.deadline – the cluster did not get there */
  async #until(isSo: () => Promise<boolean>, signal?: AbortSignal): Promise<void> {
    const limitMs = this.#parts.options.stopMs + MARGIN_MS;
    if (await until(isSo, { everyMs: LOOK_MS, limitMs, signal })) return;
    throw coreError("call.deadline", `the cluster did not end a pod within ${limitMs} ms`);
  }
}

/** Names that a StatefulSet gives. @source https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/ */
function podOf(node: string): string {
  return `${node}-0`;
}

function claimOf(node: string): string {
  return `data-${podOf(node)}`;
}

function isLost({ status }: V1Pod): boolean {
  if (status?.phase === "Failed" || status?.phase === "Succeeded") return true;
  return (status?.containerStatuses ?? []).some(({ state }) => HOPELESS.has(state?.waiting?.reason ?? ""));
}

/** Why a pod does not run, in the words of the cluster. */
function troublesOf({ status }: V1Pod): string[] {
  const waiting = (status?.containerStatuses ?? []).flatMap(({ state }) => (state?.waiting ? [state.waiting] : []));
  const unmet = (status?.conditions ?? []).filter(
    (one) => one.status === "False" && one.message !== undefined && one.type !== "Ready",
  );
  return [...waiting, ...unmet].map(({ reason, message = "" }) => `${reason}: ${message}`.trim());
}

/** What the cluster answers; nothing for what is not there. @throws {MetanodeError} in our words */
async function asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 404) return undefined;
    throw failureOf(cause);
  }
}

function failureOf(cause: unknown): MetanodeError {
  const { code: status, body, message } = cause as { code?: unknown; body?: unknown; message?: string };
  if (typeof status !== "number") {
    return coreError("node.unreachable", `the cluster does not answer: ${message ?? cause}`, { cause });
  }
  const text = messageOf(body) ?? `status ${status}`;
  if (status === 401) return coreError("auth.unauthenticated", `the cluster does not know who asks: ${text}`);
  if (status === 403) return coreError("auth.denied", `the cluster refuses: ${text}`);
  // Not as the cause: the error of the client holds the request, and that a Secret.
  return coreError("processor.failed", `the cluster refuses: ${text}`, { details: { status } });
}

function messageOf(body: unknown): string | undefined {
  try {
    const { message } = (typeof body === "string" ? JSON.parse(body) : body) as { message?: unknown };
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}
