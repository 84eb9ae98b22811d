/** A value, now or later. Work that needs no waiting makes no promises: they would cost more than most of it does. */
export type Maybe<T> = T | Promise<T>;

/** Whether it is there later only. Functions of other libraries give promises of their own. */
export function isLater<T>(value: Maybe<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Goes on with a value, at once if it is there. */
export function andThen<T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> {
  return isLater(value) ? value.then(next) : next(value);
}
