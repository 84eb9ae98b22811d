import { describe, expect, test } from "vitest";
import { objectsOf } from "../src/deploy/kubernetes-objects.ts";
import { KubernetesOptions } from "../src/deploy/options.ts";

const node = {
  name: "shop-eu-0",
  group: "eu",
  digest: "0123",
  config: { name: "shop-eu-0", token: "mnt1.secret", labels: { region: "eu" } },
};

function render(options: object = {}) {
  return objectsOf(node, {
    topology: "shop",
    namespace: "front",
    options: KubernetesOptions.parse({ image: "shop:1", ...options }),
  });
}

describe("M-62: the objects of a node on Kubernetes", () => {
  test("are a Secret with its configuration, and a set of one that reads it and shows no token", () => {
    const [secret, set] = render();
    expect(JSON.parse(Buffer.from(secret.data?.["agent.json"] ?? "", "base64").toString())).toEqual(node.config);
    expect(JSON.stringify(set)).not.toContain("mnt1");
    expect(set.spec?.template.spec?.volumes).toContainEqual({
      name: "config",
      secret: { secretName: "shop-eu-0", defaultMode: 0o440 },
    });
    expect(set.spec?.template.spec?.containers[0]).toMatchObject({
      command: ["metanode", "agent"],
      args: ["--config", "/etc/metanode/agent.json", "--data", "/var/lib/metanode"],
    });
  });

  test("are found by topology, group and node, and say what they were made from", () => {
    for (const { metadata } of render()) {
      expect(metadata).toMatchObject({
        name: "shop-eu-0",
        namespace: "front",
        labels: {
          "app.kubernetes.io/name": "shop-eu-0",
          "app.kubernetes.io/component": "eu",
          "app.kubernetes.io/part-of": "shop",
          "app.kubernetes.io/managed-by": "metanode",
        },
        annotations: { "metanode.deploy/digest": "0123" },
      });
    }
    expect(render()[1].spec).toMatchObject({ replicas: 1, updateStrategy: { type: "OnDelete" } });
  });

  test("keep the rules of the restricted pod security standard", () => {
    const pod = render()[1].spec?.template.spec;
    expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    expect(pod?.containers[0]?.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } });
    expect(pod?.automountServiceAccountToken).toBe(false);
  });

  test("have a volume claim where storage is asked for, and else a volume that is as old as the pod", () => {
    const [, without] = render();
    expect(without.spec?.volumeClaimTemplates).toBe(undefined);
    expect(without.spec?.template.spec?.volumes).toContainEqual({ name: "data", emptyDir: {} });
    const [, kept] = render({ storage: "1Gi", storageClass: "fast" });
    expect(kept.spec?.template.spec?.volumes).not.toContainEqual({ name: "data", emptyDir: {} });
    expect(kept.spec?.volumeClaimTemplates?.[0]?.spec).toEqual({
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Gi" } },
      storageClassName: "fast",
    });
  });
});
