/** Length of a payload as JSON, in bytes. */
export const PAYLOAD_BYTES = 200;

/** What every contender of a bench carries: a JSON object, {@link PAYLOAD_BYTES} long as text. */
export interface Payload {
  /** Tells one payload from the next, so that a wrong answer is noticed. */
  readonly number: number;
  readonly order: string;
  readonly items: readonly { readonly sku: string; readonly count: number }[];
  readonly filler: string;
}

const FIRST_NUMBER = 1_000_000;
let lastNumber = FIRST_NUMBER - 1;
const items = [
  { sku: "A-100", count: 2 },
  { sku: "B-205", count: 1 },
];
const bare: Payload = { number: FIRST_NUMBER, order: "2026-000017", items, filler: "" };
const filler = "x".repeat(PAYLOAD_BYTES - JSON.stringify(bare).length);

/** A payload with a number that none before had. */
export function nextPayload(): Payload {
  lastNumber += 1;
  return { number: lastNumber, order: "2026-000017", items, filler };
}

/** @throws {Error} The answer is not the echo of the payload. */
export function assertEcho(sent: Payload, answer: unknown): void {
  const { number, filler: text } = (answer ?? {}) as Partial<Payload>;
  if (number !== sent.number || text !== sent.filler) {
    throw new Error(`payload ${sent.number} came back as ${JSON.stringify(answer)?.slice(0, 200)}`);
  }
}
