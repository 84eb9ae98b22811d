export {
  MessagePortData,
  MessagePortError,
  MessagePortStart,
  MessagePortTerminate,
  MessagePortText,
  type PortInput,
  type PortMessage,
} from "./messages.ts";
export type { PortBinaryOptions, PortOptions } from "./options.ts";
export { createPort, type Port } from "./port.ts";
