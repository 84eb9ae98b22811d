export function Instance() {
  return null;
}
