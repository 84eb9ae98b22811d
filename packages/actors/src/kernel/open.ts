import type { ApplicationSpec } from "../application/index.ts";
import type { CronJob } from "../cron/index.ts";
import { createKernel, type Kernel, type KernelOptions } from "./kernel.ts";

/** How to open a kernel. */
export interface OpenKernelOptions extends KernelOptions {
  /** Loaded all, then started in this order, each after those that it depends on. @default none */
  applications?: readonly ApplicationSpec[];
  /** Added when the applications run. @default none */
  cronJobs?: readonly CronJob[];
}

/**
 * Makes a kernel, starts its applications and adds its cron jobs. If one of them cannot be, the kernel is stopped again.
 * @throws what `createKernel`, `loadApplication`, `startApplication` and `cron.addJob` throw
 */
export async function openKernel({ applications = [], cronJobs = [], ...options }: OpenKernelOptions = {}): Promise<Kernel> {
  const kernel = createKernel(options);
  try {
    for (const application of applications) kernel.loadApplication(application);
    for (const { name } of applications) {
      if (kernel.applicationInfo(name).state === "loaded") await kernel.startApplication(name);
    }
    for (const job of cronJobs) kernel.cron.addJob(job);
  } catch (error) {
    await kernel.stop();
    throw error;
  }
  return kernel;
}
