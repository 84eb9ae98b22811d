#!/usr/bin/env node
// Operator: lets multiples of --mod pass, and answers the others with an empty frame.
import { answerFrames } from "./frames.mjs";

const modulus = Number(process.argv.find((word) => word.startsWith("--mod="))?.split("=")[1] ?? 2);
await answerFrames((number) => (number.readUInt32BE(0) % modulus === 0 ? number : undefined));
