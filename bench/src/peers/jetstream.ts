import { rmSync } from "node:fs";
import type { Appender } from "../appender.ts";
import { importPeer } from "../contender.ts";
import { diskFolder, startNats } from "../processes.ts";

interface Connection {
  close(): Promise<void>;
}
interface Transport {
  connect(options: { servers: string }): Promise<Connection>;
}
interface JetStream {
  jetstream(connection: Connection): {
    publish(subject: string, data: string, options: { msgID: string }): Promise<unknown>;
  };
  jetstreamManager(connection: Connection): Promise<{
    streams: {
      add(config: { name: string; subjects: string[]; storage: string }): Promise<unknown>;
      info(name: string): Promise<{ state: { messages: number } }>;
    };
  }>;
}

/** A JetStream stream of a NATS server that is started for it, publishes acknowledged while others are under way. */
export async function openJetstream(): Promise<Appender> {
  const { connect } = await importPeer<Transport>("@nats-io/transport-node");
  const { jetstream, jetstreamManager } = await importPeer<JetStream>("@nats-io/jetstream");
  const folder = diskFolder("jetstream-");
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const server = await startNats({ jetstreamFolder: folder }).catch((error: unknown) => {
    remove();
    throw error;
  });
  const connection = await connect({ servers: server.url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "bench", subjects: ["bench"], storage: "file" });
  const stream = jetstream(connection);
  return {
    append: (id, payload) => stream.publish("bench", JSON.stringify(payload), { msgID: id }),
    count: async () => (await manager.streams.info("bench")).state.messages,
    note: "file storage, one replica, message ids; the server acknowledges what it wrote and syncs the disk every two minutes",
    close: async () => {
      await connection.close();
      await server.stop();
      remove();
    },
  };
}
