export function Declare() {
  return null;
}
