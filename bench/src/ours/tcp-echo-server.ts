/** The server of our bench of echoes: a meta-process, and an actor that sends back what it is sent. */
import { Actor, createKernel, type PID } from "@metanode/actors";
import { MessageTcp, openTcpServer, type TcpEvent, type TcpServer } from "@metanode/actors/tcp";
import { sayReady } from "../processes.ts";

class Echo extends Actor<TcpEvent> {
  override init(server: TcpServer): void {
    this.spawnMeta(server);
  }

  override handleMessage(_from: PID, message: TcpEvent): void {
    if (message instanceof MessageTcp) this.send(message.id, message);
  }
}

const server = await openTcpServer({ port: Number(process.argv[2]) });
createKernel().spawn(Echo, { args: [server] });
sayReady();
