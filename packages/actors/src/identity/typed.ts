/** One kind of request and the answer it gets. A union of these is what an actor can be asked. For the compiler only. */
export interface Call<Request, Answer> {
  readonly request: Request;
  readonly answer: Answer;
}

/** Any request, an answer of unknown type. */
export type AnyCall = Call<unknown, unknown>;

/** The requests in a union of calls. */
export type RequestOf<Calls extends AnyCall> = Calls["request"];

/** The answer to `Request` in a union of calls. */
export type AnswerOf<Calls extends AnyCall, Request = Calls["request"]> =
  Calls extends Call<infer Asked, infer Answer> ? (Request extends Asked ? Answer : never) : never;
