import { randomBytes } from "node:crypto";
import { AppsV1Api, CoreV1Api, KubeConfig, type KubernetesListObject, type KubernetesObject } from "@kubernetes/client-node";
import { describe } from "vitest";
import { deployConformance } from "../src/testing/deploy-conformance.ts";
import { type DeployHarness, processesNaming } from "../src/testing/deploy-harness.ts";
import { AGENT, startManager, temporaryFolder, WORKER } from "./harness.ts";
import { PodRunner } from "./pod-runner.ts";

/*
 * Runs against a cluster that is named, because a test has no business in one that it finds. METANODE_TEST_IMAGE is an image with this repository
 * under the path that it has here, and METANODE_TEST_ADDRESS an address of this machine that pods can dial. Without an image, pods run as processes of
 * this machine, for which the control plane alone will do: etcd, kube-apiserver and kube-controller-manager.
 */
const {
  METANODE_TEST_KUBECONFIG: kubeconfig,
  METANODE_TEST_IMAGE: image,
  METANODE_TEST_ADDRESS: address = "127.0.0.1",
} = process.env;

async function harness(): Promise<DeployHarness> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig as string);
  const [core, apps] = [config.makeApiClient(CoreV1Api), config.makeApiClient(AppsV1Api)];
  const namespace = `deploy-${randomBytes(4).toString("hex")}`;
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  const folder = await temporaryFolder();
  const manager = await startManager(folder.path, `${address}:0`);
  const runner = image === undefined ? await PodRunner.start(config, folder.path, namespace) : undefined;
  return {
    manager,
    group: ({ worker }) => ({
      provider: "kubernetes",
      agent: { processors: [{ name: "worker", file: WORKER, env: { WORKER: worker } }] },
      with: { image: image ?? "here:1", command: [...AGENT], kubeconfig, namespace, storage: "16Mi" },
    }),
    restarts: true,
    async kill(node) {
      await core.deleteNamespacedPod({ name: `${node}-0`, namespace, gracePeriodSeconds: 0 });
    },
    async remains() {
      const lists: KubernetesListObject<KubernetesObject>[] = await Promise.all([
        apps.listNamespacedStatefulSet({ namespace }),
        core.listNamespacedPod({ namespace }),
        core.listNamespacedSecret({ namespace }),
        core.listNamespacedPersistentVolumeClaim({ namespace }),
      ]);
      return lists.flatMap(({ kind, items }) => items.map(({ metadata }) => `${kind} ${metadata?.name}`));
    },
    commandLines: () => processesNaming("agent"),
    async dispose() {
      await runner?.[Symbol.asyncDispose]();
      await core.deleteNamespace({ name: namespace });
      await manager.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("M-62: nodes as pods keep the promises of deployment", () => {
  deployConformance({
    name: "Kubernetes",
    open: harness,
    timeoutMs: 180_000,
    skip: kubeconfig === undefined ? "METANODE_TEST_KUBECONFIG names no cluster that a test may use" : undefined,
  });
});
