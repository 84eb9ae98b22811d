import type { CommandTable } from "../command.ts";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { completionModel } from "../completion/model.ts";
import { zshScript } from "../completion/zsh.ts";
import type { Invocation } from "../invocation.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** `metanode completion` */
export async function run(invocation: Invocation, table: CommandTable): Promise<void> {
  const shell = invocation.arg(0) as keyof typeof SCRIPTS; // the parser takes no other
  invocation.output.raw(Buffer.from(SCRIPTS[shell](completionModel(table)), "utf8"));
}
