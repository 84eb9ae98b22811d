import type { Channel } from "../link/channel.ts";
import { Session } from "../link/session.ts";
import type { LinkAddress, LinkTransport } from "../link/transport.ts";

/** A transport under test, and the means to break what it stands on. */
export interface TransportHarness {
  /** Of the side that dials. */
  readonly dialling: LinkTransport;
  /** Of the side that listens: another one where two nodes would have two, for example two connections to a server. */
  readonly listening: LinkTransport;
  /** Where nobody listens and nobody has; may be one of which `listen` makes another, such as a port of 0. */
  freeAddress(): LinkAddress;
  /** Longest time until the end of the other side or of the network is told, in milliseconds (T4). The suite allows for a busy machine. */
  readonly noticeMs: number;
  /** Whether a side that stands still, without having ended, is taken for gone within `noticeMs`; else the link waits for it. */
  readonly noticesSilence: boolean;
  /** Starts another process that calls {@link serveTransportPeer}. Absent where a link cannot leave the process. */
  startPeer?(): Promise<TransportPeer>;
  /** Breaks what is between the sides, under way as it is. Absent where nothing is. */
  cutNetwork?(): Promise<void>;
  /** Ends what the harness started. */
  dispose(): Promise<void>;
}

/** Another process that listens. */
export interface TransportPeer {
  /** Gives each batch of frames back as it came. */
  readonly echo: LinkAddress;
  /** Answers calls as {@link answerCall} does. */
  readonly session: LinkAddress;
  /** How many channels are open there. */
  openChannels(): Promise<number>;
  signal(signal: NodeJS.Signals): void;
}

/** One promise of the contract, as a test. */
export interface TransportPromise {
  readonly title: string;
  /** What it cannot do without; it is skipped where the harness has none, for the reason given here. */
  readonly needs?: "startPeer" | "cutNetwork";
  run(harness: TransportHarness): Promise<void>;
}

/** What a process of {@link TransportHarness.startPeer} does: listens on two addresses. */
export async function serveTransportPeer(
  transport: LinkTransport,
  addresses: { readonly echo: LinkAddress; readonly session: LinkAddress },
): Promise<{ readonly echo: LinkAddress; readonly session: LinkAddress; openChannels(): number }> {
  let open = 0;
  const echo = await transport.listen(addresses.echo, (channel) => {
    open++;
    channel.listen({ onFrames: (frames) => channel.send(frames), onClosed: () => open-- });
  });
  const session = await transport.listen(addresses.session, (channel) => {
    open++;
    answerCalls(channel, () => open--);
  });
  return { echo: echo.address, session: session.address, openChannels: () => open };
}

/** A session of the answering side, with credit for whatever the suite asks. */
export function answerCalls(channel: Channel, onClosed?: () => void): Session {
  return new Session({
    channel,
    peer: "caller",
    handler: ({ type, data }) => answerCall(type, data),
    lostCode: "node.unreachable",
    concurrency: 10_000,
    ...(onClosed ? { onClosed } : {}),
  });
}

/** `test.echo` gives its payload back, `test.never` has no answer, `test.count` streams the whole numbers from 1 to its payload. */
export function answerCall(type: string, data: unknown): unknown {
  if (type === "test.never") return new Promise(() => undefined);
  return type === "test.count" ? countTo(data as number) : data;
}

async function* countTo(last: number): AsyncGenerator<number> {
  for (let n = 1; n <= last; n++) yield n;
}
