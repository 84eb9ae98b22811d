import { spawnSync } from "node:child_process";

/** A fenced block of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Number of the line that opens it. */
  readonly line: number;
  /** Why its commands are not run, as the comment before it says. */
  readonly notRun?: string;
}

/** A file that a page shows whole. */
export interface PageFile {
  readonly kind: "file";
  readonly name: string;
  readonly text: string;
}

/** Commands that a page shows, and what it says is seen. */
export interface PageCommands {
  readonly kind: "commands";
  readonly line: number;
  readonly commands: readonly PageCommand[];
  readonly output?: string;
}

export interface PageCommand {
  readonly text: string;
  readonly status: number;
}

/** What a page has its reader do, in order. */
export type Step = PageFile | PageCommands;

/** Every fenced block of a page. */
export function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { language: string; line: number; lines: string[]; notRun?: string } | undefined;
  let remark: string | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    if (open !== undefined) {
      if (line.trimEnd() === "```") {
        blocks.push({ ...open, text: `${open.lines.join("\n")}\n` });
        open = undefined;
      } else open.lines.push(line);
      continue;
    }
    const language = /^```(\w*)\s*$/.exec(line)?.[1];
    if (language !== undefined) {
      open = { language, line: index + 1, lines: [], ...(remark === undefined ? {} : { notRun: remark }) };
      remark = undefined;
    } else if (line.trim() !== "") remark = remarkOf(line.trim());
  }
  if (open !== undefined) throw new Error(`the block that begins in line ${open.line} has no end`);
  return blocks;
}

/** Why the commands below a comment are not run: it says so, or what it asks for is not on this machine. */
function remarkOf(line: string): string | undefined {
  const probe = /^<!-- run if: (.+) -->$/.exec(line)?.[1];
  if (probe === undefined) return /^<!-- not run: (.+) -->$/.exec(line)?.[1];
  return spawnSync("bash", ["-c", probe]).status === 0 ? undefined : `this fails here: ${probe}`;
}

/** Programs of pages that a small machine may lack; blocks with them are left out there. */
const absent = ["curl"].filter((program) => spawnSync("bash", ["-c", `command -v ${program}`]).status !== 0);

/** What to do with the blocks of a page: files to write, commands to run. */
export function stepsOf(blocks: readonly Block[]): readonly Step[] {
  const steps: Step[] = [];
  for (const [index, block] of blocks.entries()) {
    const name = /^(?:\/\/|#) ([\w./-]+\.\w+)$/m.exec(block.text.split("\n", 1)[0] as string)?.[1];
    if (block.language === "sh") {
      if (block.notRun !== undefined || absent.some((program) => block.text.includes(`${program} `))) continue;
      const next = blocks[index + 1];
      const commands = commandsOf(block.text);
      steps.push({ kind: "commands", line: block.line, commands, ...(next?.language === "text" ? { output: next.text } : {}) });
    } else if (name !== undefined) steps.push({ kind: "file", name, text: block.text });
  }
  return steps;
}

/** Whole commands, each with the exit status that its trailing comment says, or 0. */
function commandsOf(text: string): readonly PageCommand[] {
  const commands: PageCommand[] = [];
  let command = "";
  for (const line of text.split("\n")) {
    command += `${line}\n`;
    if (command.trim() === "") command = "";
    else if (isWhole(command)) {
      commands.push({ text: command, status: Number(/#(?: .*;)? exit (\d+)\n$/.exec(command)?.[1] ?? 0) });
      command = "";
    }
  }
  if (command !== "") throw new Error(`this command has no end: ${command}`);
  return commands;
}

function isWhole(command: string): boolean {
  if (command.endsWith("\\\n")) return false;
  const { status, stderr } = spawnSync("bash", ["-n"], { input: command, encoding: "utf8" });
  return status === 0 && stderr === ""; // a here-document without its end is a warning
}

/** Whether an output is what a page says: `…` stands for anything in its line, and alone in a line for any lines; runs of blanks are one. */
export function isAsSaid(output: string, said: string): boolean {
  const pattern = plain(said)
    .split("\n")
    .map((line) =>
      line.trim() === "…"
        ? "(?:[^\\n]*\\n)*?"
        : `${line
            .split("…")
            .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
            .join("[^\\n]*?")}\\n`,
    )
    .join("");
  return new RegExp(`^${pattern}$`).test(`${plain(output)}\n`);
}

function plain(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/[ \t]+/g, " ").trim())
    .join("\n")
    .trimEnd();
}
