/** Answers each frame on stdin with one on stdout: what `answer` returns, or an empty one for nothing. */
export async function answerFrames(answer) {
  let rest = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const end = 4 + rest.readUInt32BE(0);
      const payload = (await answer(rest.subarray(4, end))) ?? Buffer.alloc(0);
      rest = rest.subarray(end);
      const head = Buffer.alloc(4);
      head.writeUInt32BE(payload.length);
      process.stdout.write(Buffer.concat([head, payload]));
    }
  }
}
