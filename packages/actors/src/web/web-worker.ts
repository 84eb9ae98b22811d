import type { ServerResponse } from "node:http";
import { Actor } from "../behaviour/actor.ts";
import { type AnyCall, type PID, Terminate } from "../identity/index.ts";
import type { Ended } from "../runtime/typed.ts";
import { answerStatus } from "./refusal.ts";
import { MessageWebRequest } from "./web-request.ts";

/** What Node throws at whoever reads from or writes to a client that is gone. */
const GONE = new Set(["ABORT_ERR", "ECONNRESET", "EPIPE", "ERR_STREAM_DESTROYED", "ERR_STREAM_PREMATURE_CLOSE"]);

/**
 * An actor that answers HTTP requests, alone or as a worker of a pool: extend it and write what the methods do. `done` is
 * called for each request when its method has returned, or its promise has settled: so what a method starts, it awaits.
 *
 * A method that throws ends the actor as any callback does, after a 500 if nothing was written. A throw because the client
 * went away ends nothing. Other mail goes to `handleMessage` of the class that extends this one, which hands requests on to
 * `super.handleMessage`.
 */
export abstract class WebWorker<Messages = never, Calls extends AnyCall = never> extends Actor<
  Messages | MessageWebRequest,
  Calls
> {
  override handleMessage(from: PID, message: Messages | MessageWebRequest): Ended {
    if (!(message instanceof MessageWebRequest)) return super.handleMessage(from, message);
    let given: Ended;
    try {
      given = this.#dispatch(from, message);
    } catch (thrown) {
      return failed(message, thrown);
    }
    if (!(given instanceof Promise)) {
      message.done();
      return given;
    }
    return given.then(
      (outcome) => {
        message.done();
        return outcome;
      },
      (thrown) => failed(message, thrown),
    ) as Ended;
  }

  handleGet(_from: PID, { response }: MessageWebRequest): Ended {
    notImplemented(response);
  }
  handlePost(_from: PID, { response }: MessageWebRequest): Ended {
    notImplemented(response);
  }
  handlePut(_from: PID, { response }: MessageWebRequest): Ended {
    notImplemented(response);
  }
  handlePatch(_from: PID, { response }: MessageWebRequest): Ended {
    notImplemented(response);
  }
  handleDelete(_from: PID, { response }: MessageWebRequest): Ended {
    notImplemented(response);
  }
  handleHead(_from: PID, { response }: MessageWebRequest): Ended {
    notImplemented(response);
  }
  handleOptions(_from: PID, { response }: MessageWebRequest): Ended {
    notImplemented(response);
  }

  #dispatch(from: PID, message: MessageWebRequest): Ended {
    switch (message.request.method) {
      case "GET":
        return this.handleGet(from, message);
      case "POST":
        return this.handlePost(from, message);
      case "PUT":
        return this.handlePut(from, message);
      case "PATCH":
        return this.handlePatch(from, message);
      case "DELETE":
        return this.handleDelete(from, message);
      case "HEAD":
        return this.handleHead(from, message);
      case "OPTIONS":
        return this.handleOptions(from, message);
      default:
        return notImplemented(message.response);
    }
  }
}

function notImplemented(response: ServerResponse): void {
  answerStatus(response, 501);
}

/** Answers for a method that threw, then throws on what ends the actor. */
function failed(message: MessageWebRequest, thrown: unknown): undefined {
  const { response } = message;
  if (message.isOver) {
    if (thrown instanceof Error && (thrown === message.signal.reason || GONE.has(codeOf(thrown)))) return undefined;
    throw thrown;
  }
  if (!(thrown instanceof Terminate)) {
    if (!response.headersSent) answerStatus(response, 500);
    else if (!response.writableEnded) response.destroy(); // nobody is to take a part for the whole
  }
  message.done();
  throw thrown;
}

function codeOf(error: Error): string {
  return error.name === "AbortError" ? "ABORT_ERR" : String((error as NodeJS.ErrnoException).code);
}
