import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { problemOf, type TestGateway, testGateway } from "./harness.ts";

/** An issuer of this machine, which can be made to fall silent. */
interface Issuer extends AsyncDisposable {
  readonly url: string;
  readonly asked: string[];
  isSilent: boolean;
  sign(claims: JWTPayload, more?: { expires?: string; audience?: string; issuer?: string }): Promise<string>;
}

async function startIssuer(): Promise<Issuer> {
  const [kid, pair] = ["one", await generateKeyPair("ES256")] as const;
  const asked: string[] = [];
  const server = createServer(async ({ url = "" }, response) => {
    asked.push(url);
    if (it.isSilent) return void response.writeHead(503).end();
    const keys = [{ ...(await exportJWK(pair.publicKey)), kid, alg: "ES256", use: "sig" }];
    const found = url === "/jwks" ? { keys } : { issuer: it.url, jwks_uri: `${it.url}/jwks` };
    response.setHeader("content-type", "application/json").end(JSON.stringify(found));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const it: Issuer = {
    url,
    asked,
    isSilent: false,
    sign: (claims, { expires = "5m", audience = "metanode", issuer = url } = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(expires)
        .sign(pair.privateKey),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return it;
}

let issuer: Issuer;
let subject: TestGateway;
beforeAll(async () => {
  issuer = await startIssuer();
  subject = await testGateway({
    processors: [],
    auth: { oidc: { issuer: issuer.url, audience: "metanode", rolesClaim: "realm.roles" } },
  });
});
afterAll(async () => {
  await subject[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

function ask(token: string, path = "/whoami", init: RequestInit = {}, to = subject): Promise<Response> {
  return to.request(path, { ...init, headers: { authorization: `Bearer ${token}` } });
}
const roles = (...names: string[]): JWTPayload => ({ realm: { roles: names } });

describe("a token of the configured issuer", () => {
  test("says who asks and as what: the highest role of those that it names", async () => {
    const ann = await issuer.sign({ sub: "ann", ...roles("offline_access", "viewer", "operator") });
    expect(await (await ask(ann)).json()).toEqual({ name: "oidc:ann", role: "operator" });
    expect((await ask(ann, "/audit")).status).toBe(403);
    const owner = await issuer.sign({ sub: "owner", ...roles("viewer") });
    expect(await (await ask(owner)).json()).toEqual({ name: "oidc:owner", role: "viewer" });
    const odd = await issuer.sign({ sub: "a b%\n", realm: { roles: "admin" } });
    expect(await (await ask(odd)).json()).toEqual({ name: "oidc:a%20b%25%0A", role: "admin" });
  });

  test("has the role that the configuration says its word means, and none by any other word", async () => {
    const oidc = { issuer: issuer.url, audience: "metanode", rolesClaim: "groups" };
    await using other = await testGateway({
      processors: [],
      auth: { oidc: { ...oidc, roles: { "ops-team": "operator", everybody: "viewer" } } },
    });
    const answerTo = async (groups: unknown): Promise<Response> =>
      ask(await issuer.sign({ sub: "ann", groups }), "/whoami", {}, other);
    expect(await (await answerTo(["everybody", "ops-team"])).json()).toEqual({ name: "oidc:ann", role: "operator" });
    expect(await (await answerTo("everybody")).json()).toMatchObject({ role: "viewer" });
    for (const groups of ["admin", ["admin"], "constructor", [["ops-team"]], undefined]) {
      expect(await problemOf(await answerTo(groups))).toMatchObject({ httpStatus: 403, code: "auth.denied" });
    }
  });

  test("stands in the audit log", async () => {
    const token = await issuer.sign({ sub: "bob", ...roles("viewer") });
    expect((await ask(token, "/tokens/nobody", { method: "DELETE" })).status).toBe(403);
    expect(await subject.json("/audit?name=oidc%3Abob")).toMatchObject({ items: [{ operation: "revokeToken", status: 403 }] });
  });

  test("that names no role is told which claim should", async () => {
    const refusal = await problemOf(await ask(await issuer.sign({ sub: "eve", ...roles("root") })));
    expect(refusal).toMatchObject({ httpStatus: 403, code: "auth.denied", details: { claim: "realm.roles" } });
    expect((await ask(await issuer.sign({ sub: "eve", realm: "admin" }))).status).toBe(403);
  });

  test.each<[what: string, token: () => Promise<string>]>([
    ["has expired", () => issuer.sign({ sub: "ann", ...roles("admin") }, { expires: "-1m" })],
    ["is for somebody else", () => issuer.sign({ sub: "ann", ...roles("admin") }, { audience: "shop" })],
    ["is of another issuer", () => issuer.sign({ sub: "ann", ...roles("admin") }, { issuer: "https://elsewhere.example" })],
    ["speaks for nobody", () => issuer.sign(roles("admin"))],
    [
      "was changed",
      async () => {
        const [head, , signature] = (await issuer.sign({ sub: "ann", ...roles("viewer") })).split(".");
        const [, body] = (await issuer.sign({ sub: "ann", ...roles("admin") })).split(".");
        return `${head}.${body}.${signature}`;
      },
    ],
    [
      "is signed with a key that the issuer does not name",
      async () => {
        const { privateKey } = await generateKeyPair("ES256");
        const token = new SignJWT({ sub: "ann", ...roles("admin") }).setProtectedHeader({ alg: "ES256", kid: "two" });
        return token.setIssuer(issuer.url).setAudience("metanode").setExpirationTime("5m").sign(privateKey);
      },
    ],
    [
      "is not signed",
      async () => {
        const [, body] = (await issuer.sign({ sub: "ann", ...roles("admin") })).split(".");
        return `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.AAAA`;
      },
    ],
    [
      "is signed with what everybody knows",
      () =>
        new SignJWT({ sub: "ann", ...roles("admin") })
          .setProtectedHeader({ alg: "HS256", kid: "one" })
          .setIssuer(issuer.url)
          .setAudience("metanode")
          .setExpirationTime("5m")
          .sign(Buffer.from("a secret of thirty-two characters")),
    ],
  ])("is refused if it %s", async (_what, token) => {
    expect(await problemOf(await ask(await token()))).toMatchObject({ httpStatus: 401, code: "auth.unauthenticated" });
  });

  test("costs the issuer one question of each node for its keys", () => {
    const once = ["/.well-known/openid-configuration", "/jwks"];
    expect(issuer.asked).toEqual([...once, ...once]);
  });

  test("is 503 while the issuer says nothing, and asks it no more for a moment; tokens of the node go on", async () => {
    await using silent = await startIssuer();
    silent.isSilent = true;
    await using other = await testGateway({ processors: [], auth: { oidc: { issuer: silent.url, audience: "metanode" } } });
    const token = await silent.sign({ sub: "ann", roles: ["viewer"] });
    for (let tries = 0; tries < 3; tries++) {
      const refusal = await problemOf(await ask(token, "/whoami", {}, other));
      expect(refusal).toMatchObject({ httpStatus: 503, code: "node.unreachable", retryable: true });
    }
    expect(silent.asked).toEqual(["/.well-known/openid-configuration"]);
    expect((await other.request("/whoami")).status).toBe(200);
  });

  test("is nothing to a node that was not told of the issuer", async () => {
    await using other = await testGateway({ processors: [] });
    expect((await ask(await issuer.sign({ sub: "ann", ...roles("admin") }), "/whoami", {}, other)).status).toBe(401);
  });
});
