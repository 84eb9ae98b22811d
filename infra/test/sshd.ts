/** A real sshd on loopback, with keys and a configuration of its own. Not a test. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";

const PROGRAM = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].find((file) => existsSync(file));

/** Why tests that need it are skipped, if they are. */
export const NO_SSHD =
  PROGRAM === undefined || spawnSync("ssh", ["-V"]).status !== 0
    ? "there is no sshd or no ssh here; install openssh-server to run these"
    : undefined;

export interface Sshd extends AsyncDisposable {
  /** A configuration for `ssh -F`, with a host `target`. */
  readonly config: string;
}

/** Starts a server into which this user comes with a key, with the variables that are given. */
export async function startSshd(folder: string, env: Readonly<Record<string, string>>): Promise<Sshd> {
  const at = (name: string): string => join(folder, name);
  for (const name of ["host", "key"]) execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
  await writeFile(at("authorized_keys"), await readFile(at("key.pub")));
  await chmod(at("authorized_keys"), 0o600);
  const port = await freePort();
  const lines = [
    ...[`Port ${port}`, "ListenAddress 127.0.0.1", `HostKey ${at("host")}`, `PidFile ${at("pid")}`],
    ...[`AuthorizedKeysFile ${at("authorized_keys")}`, "StrictModes no", "UsePAM no", "PasswordAuthentication no"],
    ...[
      "PermitRootLogin prohibit-password",
      "MaxStartups 100",
      `SetEnv ${Object.entries(env)
        .map((one) => one.join("="))
        .join(" ")}`,
    ],
  ];
  await writeFile(at("sshd_config"), `${lines.join("\n")}\n`);
  // As the package's unit does; root cannot start it without.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const child: ChildProcess = spawn(PROGRAM as string, ["-D", "-e", "-f", at("sshd_config")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (status) => reject(new Error(`sshd ended with ${status}: ${said}`)));
    child.stderr?.on("data", (chunk) => {
      said += String(chunk);
      if (said.includes("Server listening")) resolve();
    });
  });
  const client = [
    ...["Host target", "  HostName 127.0.0.1", `  Port ${port}`, `  User ${userInfo().username}`, `  IdentityFile ${at("key")}`],
    ...[
      "  IdentitiesOnly yes",
      "  StrictHostKeyChecking accept-new",
      `  UserKnownHostsFile ${at("known_hosts")}`,
      "  LogLevel ERROR",
    ],
  ];
  await writeFile(at("ssh_config"), `${client.join("\n")}\n`);
  return {
    config: at("ssh_config"),
    async [Symbol.asyncDispose]() {
      const isOver = once(child, "exit");
      child.kill("SIGTERM");
      await isOver;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
