/** Reversed polynomial of the checksum (Koopman). @source spec of the actor model, §1.1 */
const POLYNOMIAL = 0xd5828281;

const known = new Map<string, string>();

/** Eight upper-case hex digits that stand for a node's name in the text of its addresses. */
export function nodeChecksum(node: string): string {
  let text = known.get(node);
  if (text === undefined) {
    text = checksum(Buffer.from(node)).toString(16).toUpperCase().padStart(8, "0");
    if (known.size < 1_000) known.set(node, text);
  }
  return text;
}

function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
