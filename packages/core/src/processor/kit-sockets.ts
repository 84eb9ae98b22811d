import { readdir, readFile, readlink } from "node:fs/promises";

/** A socket that takes connections. */
export interface ListeningSocket {
  readonly kind: "tcp" | "unix";
  /** As the kernel's table has it: hexadecimal address and port, or the path of a unix socket. */
  readonly address: string;
}

/** State of a listening socket in /proc/net/tcp (TCP_LISTEN) and flag of one in /proc/net/unix (SO_ACCEPTCON), in hexadecimal. */
const TCP_LISTEN = "0A";
const UNIX_ACCEPTS = 0x10000;

/**
 * The listening sockets that a process holds open. Linux only: reads /proc.
 * @source https://man7.org/linux/man-pages/man5/proc_net.5.html
 */
export async function listeningSockets(pid: number): Promise<ListeningSocket[]> {
  const held = await heldInodes(pid);
  const found: ListeningSocket[] = [];
  for (const table of ["tcp", "tcp6"]) {
    for (const [, address = "", , state, , , , , , inode = ""] of await rows(`/proc/${pid}/net/${table}`)) {
      if (state === TCP_LISTEN && held.has(inode)) found.push({ kind: "tcp", address });
    }
  }
  for (const [, , , flags = "0", , , inode = "", path = ""] of await rows(`/proc/${pid}/net/unix`)) {
    if ((Number.parseInt(flags, 16) & UNIX_ACCEPTS) !== 0 && held.has(inode)) found.push({ kind: "unix", address: path });
  }
  return found;
}

/** The processes of a process group: what a processor started is in the group that it leads. */
export async function processGroup(leader: number): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => ""); // it has just ended
    // After the name in parentheses, which may hold anything: state, parent, group.
    const group = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2];
    if (Number(group) === leader) pids.push(Number(name));
  }
  return pids;
}

async function heldInodes(pid: number): Promise<Set<string>> {
  const folder = `/proc/${pid}/fd`;
  const inodes = new Set<string>();
  for (const fd of await readdir(folder)) {
    const target = await readlink(`${folder}/${fd}`).catch(() => ""); // closed meanwhile
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

async function rows(file: string): Promise<string[][]> {
  const text = await readFile(file, "utf8");
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}
