/**
 * What runs pods where a cluster has no machine for them, but the control plane alone: each as a process of this machine, with its Secret and its
 * volume as folders. It does what the promises of deployment need, and nothing more. Not a test.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { CoreV1Api, type KubeConfig, PatchStrategy, setHeaderOptions, type V1Pod } from "@kubernetes/client-node";

const LOOK_MS = 100;
/** From the second end on a container is in a crash loop. */
const MAX_ENDS = 2;
const MERGE = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

interface Running {
  readonly pod: V1Pod;
  readonly folder: string;
  child: ChildProcess;
  ends: number;
  isStopping: boolean;
}

export class PodRunner implements AsyncDisposable {
  readonly #core: CoreV1Api;
  readonly #folder: string;
  readonly #namespace: string;
  readonly #running = new Map<string, Running>();
  readonly #server: ReturnType<typeof createServer>;
  readonly #node: string;
  #isOver = false;
  #loop: Promise<void> | undefined;

  private constructor(core: CoreV1Api, folder: string, namespace: string) {
    this.#core = core;
    this.#folder = folder;
    this.#namespace = namespace;
    this.#node = `here-${process.pid}-${folder.slice(-6).toLowerCase()}`;
    const at = (name: string): string => join(folder, name);
    const subject = ["-subj", "/CN=here", "-days", "1", "-nodes"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-keyout", at("key"), "-out", at("crt"), ...subject], {
      stdio: "ignore",
    });
    const { key, cert } = { key: execFileSync("cat", [at("key")]), cert: execFileSync("cat", [at("crt")]) };
    // The control plane asks here for logs.
    this.#server = createServer({ key, cert }, async ({ url = "" }, response) => {
      const { pathname, searchParams } = new URL(url, "https://here");
      const [, , , pod = ""] = pathname.split("/");
      const found = [...this.#running.values()].find((one) => one.pod.metadata?.name === pod);
      const text = found === undefined ? "" : await readFile(join(found.folder, "log"), "utf8").catch(() => "");
      const lines = text.split("\n").slice(-Number(searchParams.get("tailLines") ?? 1_000) - 1);
      response.end(lines.join("\n"));
    });
  }

  static async start(config: KubeConfig, folder: string, namespace: string): Promise<PodRunner> {
    const runner = new PodRunner(config.makeApiClient(CoreV1Api), folder, namespace);
    await new Promise<void>((resolve) => runner.#server.listen(0, "127.0.0.1", resolve));
    const { port } = runner.#server.address() as AddressInfo;
    const name = runner.#node;
    await runner.#core.createNode({ body: { metadata: { name }, spec: { unschedulable: true } } });
    const status = {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    };
    await runner.#core.patchNodeStatus({ name, body: { status } }, MERGE);
    runner.#loop = runner.#run();
    return runner;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    this.#server.close();
    await this.#core.deleteNode({ name: this.#node });
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const { items } = await this.#core.listNamespacedPod({ namespace: this.#namespace });
      const uids = new Set(items.map(({ metadata }) => metadata?.uid));
      for (const pod of items) await this.#mind(pod);
      // Taken away at once, as with a machine that loses its power.
      for (const [uid, { child, isStopping }] of this.#running) {
        if (uids.has(uid)) continue;
        this.#running.delete(uid);
        if (!isStopping) child.kill("SIGKILL");
      }
      await this.#forgetClaims();
      await setTimeout(LOOK_MS);
    }
  }

  async #mind(pod: V1Pod): Promise<void> {
    const { uid = "", deletionTimestamp } = pod.metadata ?? {};
    const running = this.#running.get(uid);
    if (deletionTimestamp !== undefined) {
      if (running === undefined) await this.#gone(pod);
      else if (!running.isStopping) void this.#stop(running);
    } else if (running === undefined) await this.#start(pod);
  }

  async #start(pod: V1Pod): Promise<void> {
    const { name = "", uid = "" } = pod.metadata ?? {};
    const folder = join(this.#folder, "pods", uid);
    const body = { metadata: { name }, target: { kind: "Node", name: this.#node } };
    await this.#core.createNamespacedPodBinding({ name, namespace: this.#namespace, body });
    await mkdir(folder, { recursive: true });
    const running = { pod, folder, child: await this.#launch(pod, folder), ends: 0, isStopping: false };
    this.#running.set(uid, running);
    this.#watch(running);
    await this.#say(pod, { running: {} });
  }

  /** The container of a pod, its paths turned into folders here. */
  async #launch({ metadata, spec }: V1Pod, folder: string): Promise<ChildProcess> {
    const [container] = spec?.containers ?? [];
    let words = [...(container?.command ?? []), ...(container?.args ?? [])];
    for (const { name, mountPath } of container?.volumeMounts ?? []) {
      const volume = spec?.volumes?.find((one) => one.name === name);
      const claim = volume?.persistentVolumeClaim?.claimName;
      const target = claim === undefined ? join(folder, name) : join(this.#folder, "claims", claim);
      await mkdir(target, { recursive: true });
      if (volume?.secret?.secretName !== undefined) {
        const secret = await this.#core.readNamespacedSecret({ name: volume.secret.secretName, namespace: this.#namespace });
        for (const [key, value] of Object.entries(secret.data ?? {})) {
          await writeFile(join(target, key), Buffer.from(value, "base64"), { mode: 0o600 });
        }
      }
      words = words.map((word) =>
        word === mountPath || word.startsWith(`${mountPath}/`) ? target + word.slice(mountPath.length) : word,
      );
    }
    const log = openSync(join(folder, "log"), "a");
    const [program = "", ...args] = words;
    const child = spawn(program, args, { stdio: ["ignore", log, log], argv0: metadata?.name ?? "pod" });
    closeSync(log);
    return child;
  }

  #watch(running: Running): void {
    running.child.once("exit", async () => {
      const { pod, folder, isStopping } = running;
      if (isStopping || !this.#running.has(pod.metadata?.uid ?? "") || this.#isOver) return;
      running.ends++;
      if (running.ends >= MAX_ENDS) {
        await this.#say(pod, { waiting: { reason: "CrashLoopBackOff", message: "back-off restarting the container" } });
        return;
      }
      running.child = await this.#launch(pod, folder);
      this.#watch(running);
    });
  }

  async #stop(running: Running): Promise<void> {
    running.isStopping = true;
    const { child, pod } = running;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    this.#running.delete(pod.metadata?.uid ?? "");
    await this.#gone(pod);
  }

  async #gone({ metadata }: V1Pod): Promise<void> {
    const { name = "", uid } = metadata ?? {};
    const body = { gracePeriodSeconds: 0, preconditions: { uid: uid ?? "" } };
    await this.#core.deleteNamespacedPod({ name, namespace: this.#namespace, body }).catch(() => undefined); // gone already
  }

  async #say({ metadata }: V1Pod, state: object): Promise<void> {
    const [container] = [{ name: "agent", image: "here", imageID: "here", ready: true, restartCount: 0, state }];
    const body = { status: { phase: "Running", containerStatuses: [container] } };
    const { name = "" } = metadata ?? {};
    await this.#core.patchNamespacedPodStatus({ name, namespace: this.#namespace, body }, MERGE).catch(() => undefined); // gone already
  }

  /** A volume is as old as its claim. */
  async #forgetClaims(): Promise<void> {
    const { items } = await this.#core.listNamespacedPersistentVolumeClaim({ namespace: this.#namespace });
    const known = new Set(items.map(({ metadata }) => metadata?.name));
    for (const claim of this.#claims) {
      if (known.has(claim)) continue;
      this.#claims.delete(claim);
      await rm(join(this.#folder, "claims", claim), { recursive: true, force: true });
    }
    for (const claim of known) if (claim !== undefined) this.#claims.add(claim);
  }

  readonly #claims = new Set<string>();
}
