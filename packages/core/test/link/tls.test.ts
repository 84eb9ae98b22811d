import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { openLinkServer } from "../../src/link/grpc.ts";
import { requiresTls } from "../../src/link/tls.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { meet } from "../../src/trust/meet.ts";
import { errorOf, until } from "../fixtures/until.ts";
import { authorityOf, credentialOf, DAY_MS, echo, listenWith, MemoryKeep } from "../trust/trusting.ts";

const WAIT_MS = 5_000;
/** As if it were two months ago. */
const past = (): VirtualClock => new VirtualClock(Date.now() - 60 * DAY_MS);

describe("a link with certificates", () => {
  test("M-40: a dialler without a certificate may come; with one it is known by it", async () => {
    const authority = await authorityOf("root");
    await using listening = await listenWith(authority, authority);
    await echo(listening.server.address, { bundle: authority.bundle });
    const own = await credentialOf(authority, "leaf");
    await echo(listening.server.address, { bundle: authority.bundle, ...own });
    const shown = listening.channels.map((channel) => channel.shown?.certificate);
    expect(shown.map((certificate) => certificate && authority.verify(certificate))).toEqual([undefined, "leaf"]);
  });

  test("M-40: the dialler refuses a server of another authority with auth.unauthenticated", async () => {
    const [authority, other] = [await authorityOf("root"), await authorityOf("root")];
    await using listening = await listenWith(authority);
    const error = await errorOf(echo(listening.server.address, { bundle: other.bundle }));
    expect(error.code).toBe("auth.unauthenticated");
    expect(listening.channels).toEqual([]);
  });

  test("M-40: the server refuses a certificate of another authority with auth.unauthenticated; it does not pass for none", async () => {
    const [authority, other] = [await authorityOf("root"), await authorityOf("root")];
    await using listening = await listenWith(authority, authority);
    const foreign = await credentialOf(other, "leaf");
    const error = await errorOf(echo(listening.server.address, { bundle: authority.bundle, ...foreign }));
    expect(error).toMatchObject({
      code: "auth.unauthenticated",
      message: expect.stringContaining("was not issued by this node"),
    });
  });

  test("M-40: an expired certificate is refused, whichever side shows it", async () => {
    const keep = new MemoryKeep();
    const before = await authorityOf("root", past(), keep);
    await using stale = await listenWith(before);
    const server = await errorOf(echo(stale.server.address, { bundle: before.bundle }));
    expect(server).toMatchObject({ code: "auth.unauthenticated", message: expect.stringContaining("expired") });
    const old = await credentialOf(before, "leaf");
    // Opened today it renews its own, and the dialler's has ended.
    const authority = await authorityOf("root", systemClock, keep);
    await using listening = await listenWith(authority, authority);
    await echo(listening.server.address, { bundle: before.bundle });
    const client = await errorOf(echo(listening.server.address, { bundle: authority.bundle, ...old }));
    expect(client).toMatchObject({ code: "auth.unauthenticated", message: expect.stringContaining("has expired") });
  });

  test("A3: a neighbour cannot pose as the node whose authority gave it a certificate", async () => {
    const authority = await authorityOf("root");
    const { cert, key } = await credentialOf(authority, "leaf");
    const server = { cert: `${cert}\n${authority.bundle}`, key };
    await using thief = await listenWith({ server, bundle: authority.bundle, onChange: () => () => undefined });
    const { fingerprint, bundle } = authority;
    expect(await errorOf(echo(thief.server.address, { bundle }))).toMatchObject({ code: "auth.unauthenticated" });
    expect(await errorOf(meet(thief.server.address, { fingerprint }, WAIT_MS))).toMatchObject({
      code: "auth.unauthenticated",
      message: expect.stringContaining("one for those who dial"),
    });
  });

  test("garbage and plain text at its port are counted and harm nobody", async () => {
    const authority = await authorityOf("root");
    await using listening = await listenWith(authority);
    const strangers = [
      randomBytes(4_096),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from("16030100ff", "hex"), // a record that never becomes whole
    ];
    for (const [n, bytes] of strangers.entries()) {
      const socket = connect(listening.port, "127.0.0.1").on("error", () => undefined);
      socket.end(bytes);
      await until(`${n + 1} are counted`, () => listening.server.failedHandshakes === n + 1);
    }
    // Garbage inside of TLS is no failed handshake, and harms nobody either.
    const inside = connectTls({ port: listening.port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    inside.on("error", () => undefined);
    await once(inside, "secureConnect");
    inside.resume().end(randomBytes(4_096));
    await once(inside, "close");
    // A dialler of plain links comes to nothing, in time.
    expect(["node.unreachable", "processor.protocol"]).toContain((await errorOf(echo(listening.server.address))).code);
    expect(listening.channels).toEqual([]);
    await echo(listening.server.address, { bundle: authority.bundle });
  });

  test("a dialler that wants certificates says so where links are plain", async () => {
    const authority = await authorityOf("root");
    await using listening = await listenWith(undefined);
    expect(listening.server.failedHandshakes).toBeUndefined();
    expect((await errorOf(echo(listening.server.address, { bundle: authority.bundle }))).code).toBe("node.unreachable");
  });

  test("tells nobody what it serves: reflection is off", async () => {
    const authority = await authorityOf("root");
    await using listening = await listenWith(authority);
    const credentials = grpc.credentials.createSsl(Buffer.from(authority.bundle), null, null, {
      checkServerIdentity: () => undefined,
    });
    for (const version of ["v1", "v1alpha"]) {
      const client = new grpc.Client(listening.server.address, credentials, { "grpc.ssl_target_name_override": "metanode" });
      const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
      const same = (bytes: Buffer): Buffer => bytes;
      const call = client.makeBidiStreamRequest(path, same, same);
      const [error] = (await once(call.resume(), "error").catch((thrown: unknown) => [thrown])) as [grpc.ServiceError];
      expect(error.code).toBe(grpc.status.UNIMPLEMENTED);
      client.close();
    }
  });
});

describe("meeting a node by the name of its authority", () => {
  test("M-40: believes the one that has it, before and during a change of the authority", async () => {
    const authority = await authorityOf("root");
    await using listening = await listenWith(authority);
    const { address } = listening.server;
    const before = authority.fingerprint;
    expect((await meet(address, { fingerprint: before }, WAIT_MS)).bundle.trim()).toBe(authority.bundle.trim());
    await authority.rotate();
    const during = authority.fingerprint;
    for (const fingerprint of [before, during]) await echo(address, await meet(address, { fingerprint }, WAIT_MS));
    authority.retire();
    await echo(address, await meet(address, { fingerprint: during }, WAIT_MS));
    expect(await errorOf(meet(address, { fingerprint: before }, WAIT_MS))).toMatchObject({ code: "auth.unauthenticated" });
  });

  test("M-40: refuses another with auth.unauthenticated, and one that is not there with node.unreachable", async () => {
    const [authority, other] = [await authorityOf("root"), await authorityOf("other")];
    await using listening = await listenWith(authority);
    const { fingerprint } = other;
    expect(await errorOf(meet(listening.server.address, { fingerprint }, WAIT_MS))).toMatchObject({
      code: "auth.unauthenticated",
    });
    await listening.server.close();
    expect(await errorOf(meet(listening.server.address, { fingerprint }, WAIT_MS))).toMatchObject({ code: "node.unreachable" });
  });

  test("finds it at an address of IPv6 too", async () => {
    const authority = await authorityOf("root");
    const server = await openLinkServer("[::1]:0", () => undefined, authority);
    try {
      const { bundle } = await meet(server.address, authority, WAIT_MS);
      expect(bundle.trim()).toBe(authority.bundle.trim());
    } finally {
      await server.close();
    }
  });
});

describe("whether an address needs certificates", () => {
  test.each(["127.0.0.1:7400", "127.8.0.1:1", "localhost:7400", "[::1]:7400", "unix:/run/door"])("not %s", (address) => {
    expect(requiresTls(address)).toBe(false);
  });

  test.each([
    "0.0.0.0:7400",
    "[::]:7400",
    "10.0.0.1:7400",
    "node.example:7400",
    "127.0.0.1.example:7400",
    "0.0.0.0",
    "dns:127.0.0.1:1",
  ])("%s, which others can dial", (address) => {
    expect(requiresTls(address)).toBe(true);
  });
});
