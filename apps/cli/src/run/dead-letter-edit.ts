import { coreError } from "@metanode/core/errors";
import { nameOfInput } from "../api/event.ts";
import { paths } from "../api/paths.ts";
import type { DeadLetterView } from "../api/views.ts";
import { payloadOf, readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import { deadLetterDetails } from "../output/dead-letters.ts";

/** `metanode dead-letter edit` */
export async function run(invocation: Invocation): Promise<void> {
  const argument = invocation.optionalArg(1);
  const subject = invocation.text("subject");
  const typeversion = invocation.text("typeVersion");
  const change = {
    ...(argument === undefined ? {} : await payload(invocation, argument)),
    ...(subject === undefined ? {} : { subject }),
    ...(typeversion === undefined ? {} : { typeversion }),
  };
  if (Object.keys(change).length === 0) {
    throw coreError("usage.invalid", "nothing is to be changed; give the new data, --subject or --type-version");
  }
  const client = await invocation.client();
  const view = await client.json<DeadLetterView>({ method: "PATCH", path: paths.deadLetter(invocation.arg(0)), body: change });
  await invocation.output.show(view, () => deadLetterDetails(view));
}

/** New data is JSON unless its media type is named: that of the old data says nothing about it. */
async function payload(invocation: Invocation, argument: string): Promise<object> {
  const mediaType = invocation.text("contentType");
  return { datacontenttype: null, ...payloadOf(await readInput(argument), mediaType, nameOfInput(argument)) };
}
