#!/usr/bin/env node
// Source: counts from 1, one frame with four bytes per number, every --freq milliseconds, up to --count.
const option = (name, otherwise) =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split("=")[1] ?? otherwise);
const everyMs = option("freq", 100);
const count = option("count", Number.POSITIVE_INFINITY);

for (let number = 1; number <= count; number++) {
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(4, 0);
  frame.writeUInt32BE(number, 4);
  if (!process.stdout.write(frame)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
}
