export type { ApplicationState, StartApplicationOptions, StopApplicationOptions } from "./application.ts";
export { Applications } from "./applications.ts";
export type { ApplicationInfo, ApplicationNode } from "./info.ts";
export {
  type ApplicationContext,
  type ApplicationMember,
  type ApplicationMode,
  type ApplicationSpec,
  defineApplication,
} from "./spec.ts";
