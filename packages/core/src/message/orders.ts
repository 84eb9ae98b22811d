/** Types of the messages with which nodes are managed. They pass where work is refused, and are nobody's own types. */
const ORDERS = /^metanode\.(?:node|tree|host|link)\./;

/** Whether a message type is an order to a node. */
export function isOrder(type: string): boolean {
  return type.startsWith("metanode.") && ORDERS.test(type);
}
