/** TCP servers and connections as meta-processes, with TLS and without. */
export { type CertificateOptions, Certificates, createCertificates } from "./certificates.ts";
export type { TcpConnection } from "./connection.ts";
export { openTcpConnection } from "./dial.ts";
export {
  MessageTcp,
  MessageTcpConnect,
  MessageTcpDisconnect,
  type TcpAddress,
  type TcpAlias,
  type TcpCommand,
  type TcpEvent,
} from "./messages.ts";
export type {
  TcpConnectionOptions,
  TcpHandler,
  TcpOptions,
  TcpServerOptions,
  TlsClientOptions,
  TlsServerOptions,
} from "./options.ts";
export { openTcpServer, type TcpServer } from "./server.ts";
