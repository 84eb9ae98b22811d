import { z } from "zod";

/*
 * What may stand under `with`, by provider. Apart from the providers themselves, so that a topology is checked without loading them.
 */

/** A word that no program takes for a flag. */
const Word = z.string().regex(/^[^-\s]\S*$/, "a word without blanks that begins with no -");
const Absolute = z.string().regex(/^\/\S*$/, "an absolute path without blanks");
const Command = z
  .array(z.string().min(1))
  .min(1)
  .default(["metanode", "agent"])
  .describe("The program that is an agent, with its first arguments.");
const StopMs = z.int().min(0).max(3_600_000).default(30_000).describe("How long a node may take to end before it is killed.");

export const ProcessOptions = z.strictObject({
  folder: z.string().min(1).default(".metanode-deploy").describe("Holds a folder per node, from the folder of the topology."),
  code: z.string().min(1).optional().describe("Where processors are, from the folder of the topology, which it is by itself."),
  stopMs: StopMs,
});
export type ProcessOptions = z.output<typeof ProcessOptions>;

export const SshOptions = z.strictObject({
  hosts: z.array(Word).min(1).describe("host, user@host, or a name from the configuration of ssh; nodes are spread over them."),
  port: z.int().min(1).max(65_535).optional(),
  identity: z.string().min(1).optional().describe("A file with a private key."),
  config: z.string().min(1).optional().describe("A file for `ssh -F`."),
  folder: z
    .string()
    .regex(/^[A-Za-z0-9._/-]+$/, "letters, digits and ._/-")
    .default(".metanode-deploy")
    .describe("Holds a folder per node, from the home of the user there."),
  code: Absolute.optional().describe("Where processors are on the hosts."),
  command: Command,
  service: z
    .enum(["auto", "system", "user", "none"])
    .default("auto")
    .describe(
      "Which systemd keeps nodes running. auto: the one of the system for root, else that of the user, none where none runs.",
    ),
  connectMs: z.int().min(1_000).max(600_000).default(10_000),
  stopMs: StopMs,
});
export type SshOptions = z.output<typeof SshOptions>;

export const DockerOptions = z.strictObject({
  image: Word.describe("Has the program of `command` in it."),
  program: Word.default("docker").describe("docker, or one that takes the same arguments, such as podman."),
  command: Command,
  code: Absolute.optional().describe("Where processors are in the image."),
  network: Word.optional(),
  volumes: z.array(Word).default([]).describe("As for `docker create --volume`."),
  flags: z
    .array(z.string().min(1))
    .default([])
    .describe("More for `docker create`: --memory=1g. No secrets, they would be seen."),
  restart: z.enum(["no", "on-failure", "unless-stopped", "always"]).default("unless-stopped"),
  stopMs: StopMs,
});
export type DockerOptions = z.output<typeof DockerOptions>;

const Quantities = z.record(z.string(), z.string());
export const KubernetesOptions = z.strictObject({
  image: Word.describe("Has the program of `command` in it."),
  command: Command,
  code: Absolute.optional().describe("Where processors are in the image."),
  context: z.string().min(1).optional().describe("Of the kubeconfig; in a pod its own cluster, else the current one."),
  kubeconfig: z.string().min(1).optional().describe("A file, in place of KUBECONFIG and ~/.kube/config."),
  namespace: z.string().min(1).optional().describe("That of the context, or default."),
  storage: z
    .string()
    .min(1)
    .optional()
    .describe("Size of a volume claim per node, such as 1Gi. Without it a node that is moved begins anew."),
  storageClass: z.string().min(1).optional(),
  serviceAccount: z.string().min(1).optional(),
  imagePullSecrets: z.array(z.string().min(1)).default([]),
  nodeSelector: Quantities.default({}),
  resources: z.strictObject({ requests: Quantities.optional(), limits: Quantities.optional() }).default({}),
  user: z.int().min(1).default(1_000).describe("The user and the group that the agent is."),
  stopMs: StopMs,
});
export type KubernetesOptions = z.output<typeof KubernetesOptions>;
