import { readFileSync } from "node:fs";
import { Actor, type Address, createKernel, type PID, Supervisor, type SupervisorSpec } from "@metanode/actors";
import { MessageTcp, MessageTcpConnect, openTcpServer, type TcpEvent } from "@metanode/actors/tcp";
import { openWebServer, type WebMount } from "@metanode/actors/web";
import type { WebSocketEvent } from "@metanode/actors/websocket";
import { createWebSocketHandler, MessageWebSocket, MessageWebSocketConnect } from "@metanode/actors/websocket";

const page = readFileSync(new URL("page.html", import.meta.url));
type Member = { name: string; rest: string; decoder: TextDecoder; say: (text: string) => void };

/** Tells everybody in it what each of them says, whichever way they came in. */
class Room extends Actor<TcpEvent | WebSocketEvent> {
  readonly #members = new Map<Address, Member>();
  #guests = 0;

  override handleMessage(_from: PID, message: TcpEvent | WebSocketEvent) {
    const member = this.#members.get(message.id);
    if (message instanceof MessageTcpConnect)
      this.#enter(message.id, (text) => this.send(message.id, new MessageTcp(message.id, Buffer.from(`${text}\n`))));
    else if (message instanceof MessageWebSocketConnect)
      this.#enter(message.id, (text) => this.send(message.id, new MessageWebSocket(message.id, text)));
    else if (member && message instanceof MessageWebSocket) this.#tell(`${member.name}: ${message.text}`);
    else if (member && message instanceof MessageTcp) this.#read(member, message);
    else if (this.#members.delete(message.id)) this.#tell(`${member?.name} has left`);
  }

  #enter(id: Address, say: Member["say"]) {
    const name = `guest ${++this.#guests}`;
    this.#members.set(id, { name, rest: "", decoder: new TextDecoder(), say });
    this.#tell(`${name} has come in`);
  }

  /** Cuts what comes over TCP into lines. */
  #read(member: Member, { id, data }: MessageTcp) {
    const lines = (member.rest + member.decoder.decode(data, { stream: true })).split(/\r?\n/);
    member.rest = lines.pop() ?? "";
    for (const line of lines) this.#tell(`${member.name}: ${line}`);
    if (member.rest.length > 1_000) this.sendExitMeta(id, new Error("a line without an end"));
  }

  #tell(text: string) {
    for (const [id, { say }] of this.#members) {
      try {
        say(text);
      } catch {
        this.#members.delete(id); // closing, or with a full mailbox: it hears no more
      }
    }
  }
}

/** Both ways in. Connections belong to this process, and the room handles them. */
class Doors extends Actor {
  override async init(tcpPort: number, webPort: number) {
    const tcp = await openTcpServer({ port: tcpPort, processPool: ["room"], mailboxLimit: 100 });
    this.spawnMeta(tcp);
    const ws = createWebSocketHandler({ processPool: ["room"], mailboxLimit: 100, maxPayloadBytes: 1_000 });
    this.spawnMeta(ws);
    const handler: WebMount = { listener: (_request, response) => response.end(page), upgrade: ws.upgrade };
    const web = await openWebServer({ port: webPort, handler });
    this.spawnMeta(web);
    console.log(`nc 127.0.0.1 ${tcp.address.port}, or http://${web.address}`);
  }
}

/** When the room fails, both begin anew, and everybody comes in again; when the doors fail, they alone. */
export class Chat extends Supervisor {
  override init(...args: [tcpPort: number, webPort: number]): SupervisorSpec {
    const room = { name: "room", actor: Room };
    return { type: "rest_for_one", strategy: "permanent", children: [room, { name: "doors", actor: Doors, args }] };
  }
}

if (import.meta.main) {
  const kernel = createKernel({ onReport: ({ text }) => console.error(text) });
  process.once("SIGINT", () => kernel.stop());
  await kernel.spawn(Chat, { args: [Number(process.env.TCP_PORT ?? 4000), Number(process.env.WEB_PORT ?? 4001)] });
}
