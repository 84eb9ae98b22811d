export function Actors() {
  return null;
}
