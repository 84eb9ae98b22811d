import type { OptionSpec } from "../command.ts";

/** For what one looks at again and again; `showOrWatch` does it. */
export const WATCH: OptionSpec = {
  flags: "-w, --watch [interval]",
  summary: "show it again and again until interrupted, each 2s or so often",
  kind: "duration",
};
