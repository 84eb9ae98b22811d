/** What users and sibling packages test with. */

export { settle, VirtualClock } from "./virtual-clock.ts";
