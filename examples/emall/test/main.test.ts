import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

describe("the example", () => {
  test("tells the story of one order: each instance once, with its states and what it was made from", async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN]);
    expect(stderr).toBe("");
    const told = [...stdout.matchAll(/^ *(\d+)\. (\S+) +(.*)\n +(.*)$/gm)].map(([, number, meta, what = "", from = ""]) => ({
      number: Number(number),
      text: [meta, ...(/ (v\d+)/.exec(what)?.slice(1) ?? []), ...(/\{\w+\}/.exec(what) ?? [])].join(" "),
      from: from.replace(/\d+\. /, ""),
    }));
    expect(told.map(({ number }) => number)).toEqual(Array.from({ length: 17 }, (_, at) => at + 1));
    // The three payments of one moment are told in the order in which they came to be stored.
    expect(told.map(({ text, from }) => `${text} ${from}`).sort()).toEqual(
      [
        "sale/order from outside",
        "sale/orderState v1 {new} <- sale/order",
        "finance/orderAccount v1 {unpaid} <- sale/order",
        "finance/payment from outside",
        "finance/payment from outside",
        "finance/payment from outside",
        "finance/orderAccount v2 {partial} <- finance/payment",
        "finance/orderAccount v3 {partial} <- finance/payment",
        "finance/orderAccount v4 {paid} <- finance/payment",
        "sale/orderState v2 {paid} <- finance/orderAccount v4",
        "N::1 <- sale/orderState v2",
        "sale/orderState v3 {package} <- sale/orderState v2",
        "sale/orderState v4 {outbound} from outside",
        "third/waybill <- sale/orderState v4",
        "sale/orderState v5 {dispatching} <- third/waybill",
        "sale/orderSign <- sale/orderState v5",
        "sale/orderState v6 {signed} <- sale/orderSign",
      ].sort(),
    );
    expect(stdout).toContain("17 instances are stored, none of them was ever changed.\n");
  });
});
