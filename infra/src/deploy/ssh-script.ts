import type { SshOptions } from "./options.ts";
import type { NodeSpec } from "./provider.ts";
import { shellQuoted } from "./text.ts";

/*
 * What is done on a host, as scripts for its `sh`. They come by standard input, so that nothing in them, a token least of all, stands in a list
 * of processes. Per node there is a folder: `agent.json`, its configuration; `start`, what starts it; `made`, what it is and what keeps it
 * running; `data`; `log`. Names of nodes and topologies need no quotes by what they are made of; everything else gets them.
 */

/** Ends the text of a configuration, which is JSON and so never a line like this. */
const END = "END_OF_CONFIGURATION";

/**
 * Functions of every script. `made` is one line: group, digest, what keeps it running (system, user, none), and, for none, pid and start.
 * The start tells a process from a later one of the same number.
 */
const LIBRARY = `set -eu
umask 077
export LC_ALL=C
started() { # pid
  if [ -r "/proc/$1/stat" ]; then
    sed 's/^.*) //' "/proc/$1/stat" | {
      read -r state rest
      case $state in Z|X) ;; *) echo "$(cat /proc/sys/kernel/random/boot_id)/$(echo "$rest" | cut -d ' ' -f 19)";; esac
    }
  elif [ ! -d /proc/self ]; then ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_' || true
  fi
}
quoted() { printf "'"; printf %s "$1" | sed "s/'/'\\\\\\\\''/g"; printf "'"; }
read_made() { # node
  group='' digest='' kept='' pid='' since=''
  [ -f "$top/$1/made" ] || return 1
  read -r group digest kept pid since < "$top/$1/made" || true
}
lives() { [ -n "$pid" ] && [ -n "$since" ] && [ "$(started "$pid" 2>/dev/null)" = "$since" ]; }
unit() { # system or user, then arguments of systemctl
  if [ "$1" = user ]; then shift; systemctl --user --no-ask-password "$@"; else shift; systemctl --no-ask-password "$@"; fi
}
units() { if [ "$1" = user ]; then echo "\${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user"; else echo /etc/systemd/system; fi; }
kept_by() {
  if [ "$service" != auto ]; then echo "$service"
  elif [ ! -d /run/systemd/system ]; then echo none
  elif [ "$(id -u)" = 0 ]; then echo system
  elif systemctl --user show-environment > /dev/null 2>&1; then echo user
  else echo none
  fi
}
end_node() { # node; what made says was read
  case $kept in
    system|user) unit "$kept" stop "metanode-$1.service" > /dev/null 2>&1 || true;;
    none)
      lives || return 0
      kill -TERM "$pid" 2> /dev/null || true
      left=$stop_steps
      while lives && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
      if lives; then
        for one in $(ps -A -o pid= -o ppid= | awk -v parent="$pid" '$2 == parent { print $1 }') "$pid"; do kill -KILL "$one" 2> /dev/null || true; done
        while lives; do sleep 0.1; done
      fi;;
  esac
}
`;

/** Scripts for one topology. */
export class SshScripts {
  readonly #options: SshOptions;
  readonly #topology: string;

  constructor(options: SshOptions, topology: string) {
    this.#options = options;
    this.#topology = topology;
  }

  run({ name, group, digest, config }: NodeSpec): string {
    const { command } = this.#options;
    return this.#script(`
if read_made ${name}; then end_node ${name}; else rm -rf "$top/${name}"; fi
node="$top/${name}"
mkdir -p "$node"
cat > "$node/agent.json" << '${END}'
${JSON.stringify({ ...config, data: "data" })}
${END}
{
  printf '#!/bin/sh\nexport PATH=%s\ncd %s\n' "$(quoted "$PATH")" "$(quoted "$node")"
  cat << '${END}'
exec ${command.map(shellQuoted).join(" ")} --config "$PWD/agent.json"
${END}
} > "$node/start"
kept=$(kept_by)
case $kept in
  none)
    echo "${group} ${digest} none" > "$node/made"
    own=$(command -v setsid || true)
    $own nohup sh "$node/start" < /dev/null >> "$node/log" 2>&1 &
    echo "${group} ${digest} none $! $(started $!)" > "$node/made";;
  *)
    if [ "$kept" = user ]; then loginctl enable-linger > /dev/null 2>&1 || true; fi
    mkdir -p "$(units "$kept")"
    cat > "$(units "$kept")/metanode-${name}.service" << ${END}
${unitText({ name, topology: this.#topology, stopMs: this.#options.stopMs })}
${END}
    echo "${group} ${digest} $kept" > "$node/made"
    unit "$kept" daemon-reload
    unit "$kept" enable --quiet "metanode-${name}.service"
    unit "$kept" reset-failed "metanode-${name}.service" > /dev/null 2>&1 || true
    unit "$kept" restart "metanode-${name}.service";;
esac
`);
  }

  /** Prints a line for each node: name, group, digest, state. */
  list(): string {
    return this.#script(`
[ -d "$top" ] || exit 0
cd "$top"
for name in *; do
  read_made "$name" || continue
  state=ended
  case $kept in
    none) if lives; then state=running; fi;;
    *) case $(unit "$kept" is-active "metanode-$name.service" 2> /dev/null || true) in active|reloading|deactivating) state=running;; esac;;
  esac
  printf '%s\\t%s\\t%s\\t%s\\n' "$name" "$group" "$digest" "$state"
done
`);
  }

  destroy(name: string): string {
    return this.#script(`
if read_made ${name}; then
  end_node ${name}
  case $kept in system|user)
    unit "$kept" disable "metanode-${name}.service" > /dev/null 2>&1 || true
    rm -f "$(units "$kept")/metanode-${name}.service"
    unit "$kept" daemon-reload;;
  esac
fi
rm -rf "$top/${name}"
rmdir "$top" 2> /dev/null || true
`);
  }

  log(name: string, lines: number): string {
    return this.#script(`if [ -f "$top/${name}/log" ]; then tail -n ${lines} "$top/${name}/log"; fi\n`);
  }

  #script(body: string): string {
    const { folder, service, stopMs } = this.#options;
    const top = folder.startsWith("/") ? shellQuoted(folder) : `"$HOME"/${shellQuoted(folder)}`;
    const settings = `top=${top}/${this.#topology} service=${service} stop_steps=${Math.ceil(stopMs / 100)}`;
    // Read as a whole before anything is done: what it starts would else read on in its place.
    return `${LIBRARY}${settings}\nmain() {\n${body.trim()}\n}\nmain < /dev/null\n`;
  }
}

/** The unit of a node, for a here-document that fills in `$node`, which is quoted for systemd by what folders may be called. */
function unitText({ name, topology, stopMs }: { name: string; topology: string; stopMs: number }): string {
  return `[Unit]
Description=Metanode ${name} of ${topology}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/bin/sh "$node/start"
StandardOutput=append:$node/log
StandardError=inherit
Restart=on-failure
RestartSec=1
KillMode=mixed
TimeoutStopSec=${Math.ceil(stopMs / 1_000)}

[Install]
WantedBy=$(if [ "$kept" = user ]; then echo default.target; else echo multi-user.target; fi)`;
}
