export function Processors() {
  return null;
}
