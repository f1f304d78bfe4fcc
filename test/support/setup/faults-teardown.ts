export default async function teardown(): Promise<void> {
  await (globalThis as { stopFaultStack?: () => Promise<void> }).stopFaultStack?.();
}
