/** Types of the messages with which nodes are managed. They pass where work is refused, and are nobody's own types. */
const ORDERS = /^metanode\.(?:node|tree|host|link)\./;

/** Whether a message type is an order to a node. */
export function isOrder(type: string): boolean {
  return isOfPlatform(type) && ORDERS.test(type);
}

/** Whether messages of a type go down the tree only: all of the platform's own, save mail between actors, which the receiver lets in or not. */
export function flowsDown(type: string): boolean {
  return isOfPlatform(type) && !type.startsWith("metanode.actors.");
}

/** Whether a message type is the platform's own: orders, and the work that nodes do for each other. */
export function isOfPlatform(type: string): boolean {
  return type.startsWith("metanode.");
}

/** Answers without an end, behind which somebody else reads on when they break. */
const ENDLESS = "metanode.source.read";

/** Whether a node that is to have nothing more to do waits for messages of a type. */
export function isWaitedFor(type: string): boolean {
  return !isOrder(type) && type !== ENDLESS;
}
