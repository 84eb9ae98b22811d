import { resolve } from "node:path";
import { DockerOptions, KubernetesOptions, ProcessOptions, SshOptions } from "./options.ts";
import type { ProviderKind } from "./provider.ts";

/** Keeps the type of the options between their schema and whoever takes them. */
function kind<Options>(one: ProviderKind<Options>): ProviderKind {
  return one as ProviderKind;
}

/** The ways to deploy that come along. Each is loaded when it is first opened: none of them costs a start anything. */
export const builtInProviders: Readonly<Record<string, ProviderKind>> = {
  process: kind({
    options: ProcessOptions,
    open: async (options, context) => (await import("./process.ts")).openProcesses(options, context),
    codeFolder: ({ code = "." }, { folder }) => resolve(folder, code),
  }),
  ssh: kind({
    options: SshOptions,
    open: async (options, context) => (await import("./ssh.ts")).openSsh(options, context),
    codeFolder: ({ code }) => code,
  }),
  docker: kind({
    options: DockerOptions,
    open: async (options, context) => (await import("./docker.ts")).openDocker(options, context),
    codeFolder: ({ code }) => code,
  }),
  kubernetes: kind({
    options: KubernetesOptions,
    open: async (options, context) => (await import("./kubernetes.ts")).openKubernetes(options, context),
    codeFolder: ({ code }) => code,
  }),
};
