/** The screens in the order of the menu. */
export const screens = [
  { text: "Overview", to: "/" },
  { text: "Processors", to: "/processors" },
  { text: "Actors", to: "/actors" },
  { text: "Workflows", to: "/workflows" },
  { text: "Streams", to: "/streams" },
  { text: "Tree", to: "/tree" },
  { text: "Messages", to: "/messages" },
  { text: "Dead letters", to: "/dead-letters" },
  { text: "Access", to: "/access" },
  { text: "Settings", to: "/settings" },
] as const;

/** What can be done from anywhere, besides going to a screen. */
export const shortcuts = [
  { text: "Send a message", to: "/messages/send" },
  { text: "Draw a graph", to: "/streams/new" },
  { text: "Declare metas and relations", to: "/workflows/declare" },
] as const;
