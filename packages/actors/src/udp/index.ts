/** Sockets for datagrams as meta-processes. */
export { MessageUdp, type UdpAddress } from "./messages.ts";
export { openUdp, type UdpHandler, type UdpOptions, type UdpSocket } from "./socket.ts";
