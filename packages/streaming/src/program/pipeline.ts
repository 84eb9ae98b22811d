import type { SourceHost } from "../stage/stage.ts";
import type { Launch } from "./child.ts";
import type { Program } from "./program.ts";

/** With which a shell reports a program that wrote to nobody: the next one had read enough. */
const BROKEN_PIPE = 128 + 13;

/**
 * Several programs as one, joined by pipes of the operating system. A shell does nothing but join them, and looks at how each
 * ends: one that ends badly takes all of them down at once, and what it was is the last that is said on stderr.
 */
export function pipelineOf(programs: readonly [Program, ...Program[]], hosts: readonly SourceHost[]): Program {
  const [first] = programs;
  return {
    ...first,
    goodExits: [0],
    launch: () => {
      const launches = programs.map((program, index) => program.launch(hosts[index] as SourceHost));
      const { env, guards = [] } = launches[0] as Launch;
      // Where all are held in the same way, they are held together: that is one start instead of many.
      const areAlike = launches.every((launch) => JSON.stringify(launch.guards) === JSON.stringify(guards));
      const parts = launches.map((launch, index) => {
        const isLast = index === launches.length - 1;
        const good = [...(programs[index] as Program).goodExits, ...(isLast ? [] : [BROKEN_PIPE])];
        const own = areAlike ? { ...launch, guards: [] } : launch;
        return member(own, { env, good, name: hosts[index]?.node.name ?? "" });
      });
      return { guards: areAlike ? guards : [], argv: ["sh", "-c", parts.join(" | ")], env };
    },
  };
}

interface MemberOptions {
  /** What the shell has already. */
  readonly env: Readonly<Record<string, string>>;
  readonly good: readonly number[];
  readonly name: string;
}

function member({ guards = [], argv, env, cwd }: Launch, { env: given, good, name }: MemberOptions): string {
  const folder = cwd === undefined ? "" : `cd ${quoted(cwd)} && `;
  const variables = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  const isSame = JSON.stringify(env) === JSON.stringify(given);
  const words = [...(isSame ? [] : ["env", "-i", ...variables]), ...guards, ...argv];
  const complaint = quoted(`${name}: the program ended with exit code`);
  // 0 is the group of the shell: everything that belongs to this run.
  const check = `s=$?; case $s in ${good.join("|")}) ;; *) echo ${complaint} $s >&2; kill -KILL 0;; esac`;
  return `{ ${folder}${words.map(quoted).join(" ")}; ${check}; }`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
