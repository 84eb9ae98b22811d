export function Processor() {
  return null;
}
