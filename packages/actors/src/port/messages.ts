import type { Alias } from "../identity/index.ts";

/** What a port takes: text or bytes for the stdin of its program, or the end of stdin. */
export type PortInput =
  /** Written as it is: no line feed is added. */
  { readonly text: string } | { readonly data: Uint8Array } | { readonly end: true };

/** What a port sends. */
export type PortMessage = MessagePortStart | MessagePortText | MessagePortData | MessagePortError | MessagePortTerminate;

/** Of all messages of a port. */
class FromPort {
  /** The port. */
  readonly id: Alias<PortInput, never>;
  /** The `tag` of its options. */
  readonly tag: string;

  constructor(id: Alias<PortInput, never>, tag: string) {
    this.id = id;
    this.tag = tag;
  }
}

/** The program was launched. Comes first, once. */
export class MessagePortStart extends FromPort {
  readonly kind = "start";
}

/** A token of the program's stdout, in text mode: a line without its end, or what the delimiter ends. */
export class MessagePortText extends FromPort {
  readonly kind = "text";
  readonly text: string;

  constructor(id: Alias<PortInput, never>, tag: string, text: string) {
    super(id, tag);
    this.text = text;
  }
}

/** A part of the program's stdout, in binary mode: one read, or one chunk. */
export class MessagePortData extends FromPort {
  readonly kind = "data";
  readonly data: Uint8Array;

  constructor(id: Alias<PortInput, never>, tag: string, data: Uint8Array) {
    super(id, tag);
    this.data = data;
  }
}

/** A token of the program's stderr, in both modes. Its order among those of stdout is not known. */
export class MessagePortError extends FromPort {
  readonly kind = "error";
  readonly text: string;

  constructor(id: Alias<PortInput, never>, tag: string, text: string) {
    super(id, tag);
    this.text = text;
  }
}

/** The program has exited, and nothing more of it comes. Comes last, once. */
export class MessagePortTerminate extends FromPort {
  readonly kind = "terminate";
  /** Undefined if a signal ended it. */
  readonly exitCode: number | undefined;
  /** The signal that ended it, if one did. */
  readonly signal: NodeJS.Signals | undefined;

  constructor(id: Alias<PortInput, never>, tag: string, exitCode: number | undefined, signal: NodeJS.Signals | undefined) {
    super(id, tag);
    this.exitCode = exitCode;
    this.signal = signal;
  }
}
