export function Actor() {
  return null;
}
