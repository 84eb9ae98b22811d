import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REDACTED, redactArguments } from "../../src/host/index.ts";
import { showCommand } from "../../src/host/redact.ts";

describe("M-65: secrets in arguments", () => {
  test.each([
    [
      ["x", "--token", "s3", "y"],
      ["x", "--token", REDACTED, "y"],
    ],
    [
      ["x", "--token=", "s3", "Secret:", "s3"],
      ["x", `--token=${REDACTED}`, REDACTED, `Secret:${REDACTED}`, REDACTED],
    ],
    [
      ["x", "--token=s3"],
      ["x", `--token=${REDACTED}`],
    ],
    [
      ["env", "API_TOKEN=s3", "run"],
      ["env", `API_TOKEN=${REDACTED}`, "run"],
    ],
    [
      ["curl", "-H", "Authorization: Bearer s3"],
      ["curl", "-H", `Authorization:${REDACTED}`],
    ],
    [
      ["sh", "-c", "export PASSWORD=s3; run"],
      ["sh", "-c", `export PASSWORD=${REDACTED}`],
    ],
    [
      ["git", "clone", "https://me:s3@host/x"],
      ["git", "clone", `https://${REDACTED}@host/x`],
    ],
    [
      ["x", "--token", "--password", "s3"],
      ["x", "--token", REDACTED, REDACTED],
    ],
    [
      ["ssh-keygen", "-t", "ed25519"],
      ["ssh-keygen", "-t", "ed25519"],
    ],
  ])("M-65: %j is shown as %j", (argv, shown) => {
    expect(redactArguments(argv)).toEqual(shown);
  });

  test("M-65: a command line is shown on one line, not too long", () => {
    expect(showCommand(["echo", "a b", "c\nd", ""])).toBe('echo "a b" "c\\nd" ""');
    expect(showCommand(["echo", "x".repeat(5_000)])).toHaveLength(1_001);
  });

  test("M-65: no secret gets through, wherever it stands among other arguments", () => {
    // Marked, so that it can be found in whatever is shown; the rest cannot hold the mark.
    const secret = fc.string({ maxLength: 20 }).map((text) => `§${text}§`);
    const other = fc.string({ maxLength: 12 }).map((text) => text.replaceAll("§", ""));
    const word = fc.constantFrom("password", "token", "secret", "key", "PassWord", "TOKEN", "Secret", "KEY");
    const around = fc.stringMatching(/^[A-Za-z0-9_.-]{0,6}$/);
    const name = fc.tuple(around, word, around).map((parts) => parts.join(""));
    const dashes = fc.constantFrom("", "-", "--", "/");
    const named = fc.oneof(
      fc.tuple(dashes, name, secret).map(([dash, label, value]) => [`${dash}${label}`, value]),
      fc.tuple(dashes, name, secret).map(([dash, label, value]) => [`${dash}${label}=${value}`]),
      fc.tuple(other, name, secret).map(([before, label, value]) => [`${before} ${label}=${value} ${before}`]),
      fc.tuple(name, secret).map(([label, value]) => ["-H", `${label}: ${value}`]),
      fc.tuple(name, fc.constantFrom("=", ":", " "), secret).map(([label, end, value]) => [`${label}${end}`, value]),
    );
    const argv = fc
      .tuple(
        other,
        fc.array(
          fc.oneof(
            named,
            other.map((text) => [text]),
          ),
          { maxLength: 6 },
        ),
      )
      .map(([program, groups]) => [program, ...groups.flat()]);
    fc.assert(
      fc.property(argv, (given) => {
        const shown = redactArguments(given);
        expect(shown).toHaveLength(given.length);
        expect(shown.join(" ")).not.toContain("§");
        expect(showCommand(given)).not.toContain("§");
      }),
      { numRuns: 2_000 },
    );
  });
});
